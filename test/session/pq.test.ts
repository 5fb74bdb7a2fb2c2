import { expect, test } from "vitest"
import { onPqFrame, startStep } from "../../src/session/pq.ts"
import { seal } from "../../src/session/ratchet.ts"
import type { Session } from "../../src/session/state.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { establishedSessions, openMessage, NOW, refusal, sealText, seededRandom } from "./session-fixture.ts"

const random = seededRandom("pq")
const DAY = 24 * 3600

function sendFrame(session: Session, frame: Frame) {
  const sealed = seal(session, [frame], random)
  if (sealed.kind === "refused") throw new Error(sealed.why)
  return sealed
}

function pqFrame(frames: readonly Frame[]) {
  const frame = frames.find(({ kind }) => kind === "pq-ek" || kind === "pq-ct")
  if (frame?.kind !== "pq-ek" && frame?.kind !== "pq-ct") throw new Error("no step in this message")
  return frame
}

/** Alice and Bob take turns until each has sent `turns` messages. */
function exchange(sessions: { alice: Session; bob: Session }, turns: number) {
  let { alice, bob } = sessions
  for (let turn = 0; turn < turns; turn += 1) {
    const hers = sealText(alice, "a", random)
    const his = sealText(openMessage(bob, hers.wire).next, "b", random)
    alice = openMessage(hers.next, his.wire).next
    bob = his.next
  }
  return { alice, bob }
}

/** Alice, whose turn it is, sends her key, and Bob answers it; both have received that. */
function completeStep(sessions: { alice: Session; bob: Session }) {
  const started = startStep(sessions.alice, NOW, random)!
  const asked = sendFrame(started.next, started.frame)
  const opened = openMessage(sessions.bob, asked.wire)
  const answered = onPqFrame(opened.next, pqFrame(opened.frames), NOW, random)
  const answer = sendFrame(answered.next, answered.reply!)
  const back = openMessage(asked.next, answer.wire)
  return { alice: onPqFrame(back.next, pqFrame(back.frames), NOW, random).next, bob: answer.next }
}

test("[S-40] Alice begins a step after 50 messages both ways, and not before", () => {
  const start = exchange(establishedSessions(random), 24)
  expect(start.alice.pq.messages).toBe(50)
  expect(startStep(start.alice, NOW, random)?.frame).toMatchObject({ kind: "pq-ek", id: 1 })
  const earlier = exchange(establishedSessions(random), 23)
  expect(startStep(earlier.alice, NOW, random)).toBeUndefined()
})

test("[S-40] Bob, who was answered, begins one after 100", () => {
  const { bob } = exchange(establishedSessions(random), 48)
  expect(startStep(bob, NOW, random)).toBeUndefined()
  expect(startStep(exchange(establishedSessions(random), 49).bob, NOW, random)?.frame).toMatchObject({
    kind: "pq-ek",
  })
})

test("[S-40] time begins a step too: a day for Alice, two for Bob", () => {
  const { alice, bob } = exchange(establishedSessions(random), 1)
  expect(startStep(alice, NOW + DAY - 1, random)).toBeUndefined()
  expect(startStep(alice, NOW + DAY, random)).toBeDefined()
  expect(startStep(bob, NOW + 2 * DAY - 1, random)).toBeUndefined()
  expect(startStep(bob, NOW + 2 * DAY, random)).toBeDefined()
})

test("[S-40] while a step is under way, no other is begun, however many messages are sent", () => {
  const { alice } = exchange(establishedSessions(random), 24)
  let { next } = startStep(alice, NOW, random)!
  for (let sent = 0; sent < 200; sent += 1) next = sealText(next, "no answer yet", random).next
  expect(startStep(next, NOW + DAY - 1, random)).toBeUndefined()
})

test("[S-40] the answer to a step waits for the next chain, and no other step is begun meanwhile", () => {
  const { alice } = completeStep(exchange(establishedSessions(random), 24))
  expect(alice.pq.step.kind).toBe("ready")
  expect(startStep(alice, NOW + 30 * DAY, random)).toBeUndefined()
})

test("[S-40] a step that nobody answered is begun again: after a day by Alice, after two by Bob", () => {
  const { alice, bob } = exchange(establishedSessions(random), 50)
  const hers = startStep(alice, NOW, random)!
  const again = startStep(hers.next, NOW + DAY, random)!
  expect(again.frame).toMatchObject({ kind: "pq-ek", id: 2 })
  expect(startStep(again.next, NOW + 2 * DAY - 1, random)).toBeUndefined()
  const his = startStep(bob, NOW, random)!
  expect(startStep(his.next, NOW + 2 * DAY - 1, random)).toBeUndefined()
  expect(startStep(his.next, NOW + 2 * DAY, random)?.frame).toMatchObject({ id: 2 })
})

test("[S-42] an answer to the step that was given up is ignored, the one to the new step counts", () => {
  const { alice, bob } = exchange(establishedSessions(random), 24)
  const first = startStep(alice, NOW, random)!
  const second = startStep(first.next, NOW + DAY, random)!
  const late = onPqFrame(bob, pqFrame([first.frame]), NOW + DAY, random)
  const good = onPqFrame(late.next, pqFrame([second.frame]), NOW + DAY, random)
  const ignored = onPqFrame(second.next, pqFrame([late.reply!]), NOW + DAY, random)
  expect(ignored).toEqual({ next: second.next })
  const ready = onPqFrame(ignored.next, pqFrame([good.reply!]), NOW + DAY, random).next
  expect(ready.pq.step).toMatchObject({ kind: "ready", id: 2 })
  expect(ready.pq.step).toHaveProperty("secret", good.next.pq.promised!.secret)
})

test("[S-41] a key that a newer one overtook is not answered: Bob keeps the secret that Alice will mix in", () => {
  const { alice, bob } = exchange(establishedSessions(random), 24)
  const first = startStep(alice, NOW, random)!
  const lost = sendFrame(first.next, first.frame)
  const second = startStep(lost.next, NOW + DAY, random)!
  const came = sendFrame(second.next, second.frame)
  const opened = openMessage(bob, came.wire)
  const answered = onPqFrame(opened.next, pqFrame(opened.frames), NOW + DAY, random)
  const atBob = openMessage(answered.next, lost.wire)
  expect(onPqFrame(atBob.next, pqFrame(atBob.frames), NOW + DAY, random)).toEqual({ next: atBob.next })
  const answer = sendFrame(atBob.next, answered.reply!)
  const back = openMessage(came.next, answer.wire)
  const mixed = sealText(onPqFrame(back.next, pqFrame(back.frames), NOW + DAY, random).next, "mixed", random)
  expect(mixed.next.sending.kem).toBe(2)
  expect(openMessage(answer.next, mixed.wire).words).toEqual(["mixed"])
})

test("[S-41] ids go round: after 65,535 comes 1 and is newer", () => {
  const sessions = exchange(establishedSessions(random), 24)
  const { frame } = startStep(sessions.alice, NOW, random)!
  const bobAfter = (lastAnswered: number) => ({ ...sessions.bob, pq: { ...sessions.bob.pq, lastAnswered } })
  const isAnswered = (id: number, lastAnswered: number) =>
    onPqFrame(bobAfter(lastAnswered), { ...pqFrame([frame]), id }, NOW, random).reply !== undefined
  expect(isAnswered(1, 65_535)).toBe(true)
  expect(isAnswered(65_535, 1)).toBe(false)
  expect(isAnswered(65_535, 0)).toBe(true)
  expect(isAnswered(7, 7)).toBe(false)
  expect(isAnswered(32_774, 7)).toBe(true)
  expect(isAnswered(32_775, 7)).toBe(false)
})

test("[S-42] the secret of a step goes into Alice's next chain, and both forget it", () => {
  const { alice, bob } = completeStep(exchange(establishedSessions(random), 24))
  expect(alice.pq.step.kind).toBe("ready")
  expect(bob.pq.promised?.id).toBe(1)
  const mixed = sealText(alice, "now it counts", random)
  expect(mixed.next.sending.kem).toBe(1)
  expect(mixed.next.pq.step).toEqual({ kind: "idle" })
  const opened = openMessage(bob, mixed.wire)
  expect(opened.words).toEqual(["now it counts"])
  expect(opened.next.pq.promised).toBeUndefined()
  exchange({ alice: mixed.next, bob: opened.next }, 3)
})

test("[S-42] without the secret, all other keys are not enough to follow", () => {
  const { alice, bob } = completeStep(exchange(establishedSessions(random), 24))
  const mixed = sealText(alice, "now it counts", random)
  const without = { ...bob, pq: { ...bob.pq, promised: undefined } }
  expect(refusal(without, mixed.wire)).toBe("unknown-kem")
  const other = { ...bob, pq: { ...bob.pq, promised: { id: 2, secret: bob.pq.promised!.secret } } }
  expect(refusal(other, mixed.wire)).toBe("unknown-kem")
  const secret = new Uint8Array(32) as NonNullable<typeof bob.pq.promised>["secret"]
  expect(refusal({ ...bob, pq: { ...bob.pq, promised: { id: 1, secret } } }, mixed.wire)).toBe("forged")
})

test("[S-40] the next step has the next id; after 65,535 comes 1", () => {
  const { alice, bob } = completeStep(exchange(establishedSessions(random), 24))
  const mixed = sealText(alice, "mixed", random)
  const again = exchange(
    { alice: mixed.next, bob: sealText(openMessage(bob, mixed.wire).next, "b", random).next },
    0,
  )
  expect(startStep(again.alice, NOW + DAY, random)?.frame).toMatchObject({ id: 2 })
  const round = { ...again.alice, pq: { ...again.alice.pq, lastId: 65_535 } }
  expect(startStep(round, NOW + DAY, random)?.frame).toMatchObject({ id: 1 })
})

test("[S-40] a step of Alice's puts off Bob's", () => {
  const { bob } = completeStep(exchange(establishedSessions(random), 48))
  expect(bob.pq.messages).toBeLessThan(10)
  expect(startStep(bob, NOW, random)).toBeUndefined()
})

test("[S-40] Bob's hours count from his answer to Alice's step", () => {
  const { alice, bob } = exchange(establishedSessions(random), 24)
  const later = NOW + 1.5 * DAY
  const answered = onPqFrame(bob, pqFrame([startStep(alice, later, random)!.frame]), later, random).next
  expect(startStep(answered, later + 2 * DAY - 1, random)).toBeUndefined()
  expect(startStep(answered, later + 2 * DAY, random)).toBeDefined()
})

test("[S-40] every message counts once: the INIT's, receipts and those of a step, not what is refused", () => {
  const { alice, bob } = establishedSessions(random)
  expect([alice.pq.messages, bob.pq.messages]).toEqual([2, 2])
  const receipt = sendFrame(alice, { kind: "ack", mids: [new Uint8Array(8)] })
  const opened = openMessage(bob, receipt.wire).next
  expect([receipt.next.pq.messages, opened.pq.messages]).toEqual([3, 3])
  expect(refusal(opened, receipt.wire)).toBe("unknown-tag")
  const started = startStep(receipt.next, NOW + DAY, random)!
  expect(sendFrame(started.next, started.frame).next.pq.messages).toBe(1)
})

test("[S-41] a key with an id that was answered is not answered again", () => {
  const sessions = exchange(establishedSessions(random), 24)
  const { frame } = startStep(sessions.alice, NOW, random)!
  const first = onPqFrame(sessions.bob, pqFrame([frame]), NOW, random)
  expect(first.reply).toMatchObject({ kind: "pq-ct", id: 1 })
  expect(onPqFrame(first.next, pqFrame([frame]), NOW, random)).toEqual({ next: first.next })
})

test("[S-41] a key that is not canonical, and an answer to nothing, change nothing", () => {
  const { alice } = establishedSessions(random)
  const key = new Uint8Array(1184).fill(0xff)
  expect(onPqFrame(alice, { kind: "pq-ek", id: 1, encapsulationKey: key }, NOW, random)).toEqual({
    next: alice,
  })
  const answer = { kind: "pq-ct", id: 1, ciphertext: new Uint8Array(1088) } as const
  expect(onPqFrame(alice, answer, NOW, random)).toEqual({ next: alice })
  const { next } = startStep(exchange(establishedSessions(random), 24).alice, NOW, random)!
  expect(onPqFrame(next, { ...answer, id: 2 }, NOW, random)).toEqual({ next })
})

test("both sides' steps at the same time do not disturb each other", () => {
  let { alice, bob } = exchange(establishedSessions(random), 50)
  const hers = startStep(alice, NOW, random)!
  const his = startStep(bob, NOW, random)!
  const herKey = sendFrame(hers.next, hers.frame)
  const hisKey = sendFrame(his.next, his.frame)
  const atAlice = openMessage(herKey.next, hisKey.wire)
  const atBob = openMessage(hisKey.next, herKey.wire)
  const herReply = onPqFrame(atAlice.next, pqFrame(atAlice.frames), NOW, random)
  const hisReply = onPqFrame(atBob.next, pqFrame(atBob.frames), NOW, random)
  const herAnswer = sendFrame(herReply.next, herReply.reply!)
  const hisAnswer = sendFrame(hisReply.next, hisReply.reply!)
  const aliceBack = openMessage(herAnswer.next, hisAnswer.wire)
  const bobBack = openMessage(hisAnswer.next, herAnswer.wire)
  alice = onPqFrame(aliceBack.next, pqFrame(aliceBack.frames), NOW, random).next
  bob = onPqFrame(bobBack.next, pqFrame(bobBack.frames), NOW, random).next
  const after = exchange({ alice, bob }, 3)
  for (const side of [after.alice, after.bob]) {
    expect(side.pq).toMatchObject({ step: { kind: "idle" }, promised: undefined, lastId: 1 })
  }
})
