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
  const answered = onPqFrame(opened.next, pqFrame(opened.frames), random)
  const answer = sendFrame(answered.next, answered.reply!)
  const back = openMessage(asked.next, answer.wire)
  return { alice: onPqFrame(back.next, pqFrame(back.frames), random).next, bob: answer.next }
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

test("[S-40] while a step is under way, no other is begun", () => {
  const { alice } = exchange(establishedSessions(random), 24)
  const { next } = startStep(alice, NOW, random)!
  expect(startStep(next, NOW + 30 * DAY, random)).toBeUndefined()
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

test("[S-41] a key with an id that was answered is not answered again", () => {
  const sessions = exchange(establishedSessions(random), 24)
  const { frame } = startStep(sessions.alice, NOW, random)!
  const first = onPqFrame(sessions.bob, pqFrame([frame]), random)
  expect(first.reply).toMatchObject({ kind: "pq-ct", id: 1 })
  expect(onPqFrame(first.next, pqFrame([frame]), random)).toEqual({ next: first.next })
})

test("[S-41] a key that is not canonical, and an answer to nothing, change nothing", () => {
  const { alice } = establishedSessions(random)
  const key = new Uint8Array(1184).fill(0xff)
  expect(onPqFrame(alice, { kind: "pq-ek", id: 1, encapsulationKey: key }, random)).toEqual({ next: alice })
  const answer = { kind: "pq-ct", id: 1, ciphertext: new Uint8Array(1088) } as const
  expect(onPqFrame(alice, answer, random)).toEqual({ next: alice })
  const { next } = startStep(exchange(establishedSessions(random), 24).alice, NOW, random)!
  expect(onPqFrame(next, { ...answer, id: 2 }, random)).toEqual({ next })
})

test("both sides' steps at the same time do not disturb each other", () => {
  let { alice, bob } = exchange(establishedSessions(random), 50)
  const hers = startStep(alice, NOW, random)!
  const his = startStep(bob, NOW, random)!
  const herKey = sendFrame(hers.next, hers.frame)
  const hisKey = sendFrame(his.next, his.frame)
  const atAlice = openMessage(herKey.next, hisKey.wire)
  const atBob = openMessage(hisKey.next, herKey.wire)
  const herReply = onPqFrame(atAlice.next, pqFrame(atAlice.frames), random)
  const hisReply = onPqFrame(atBob.next, pqFrame(atBob.frames), random)
  const herAnswer = sendFrame(herReply.next, herReply.reply!)
  const hisAnswer = sendFrame(hisReply.next, hisReply.reply!)
  const aliceBack = openMessage(herAnswer.next, hisAnswer.wire)
  const bobBack = openMessage(hisAnswer.next, herAnswer.wire)
  alice = onPqFrame(aliceBack.next, pqFrame(aliceBack.frames), random).next
  bob = onPqFrame(bobBack.next, pqFrame(bobBack.frames), random).next
  const after = exchange({ alice, bob }, 3)
  for (const side of [after.alice, after.bob]) {
    expect(side.pq).toMatchObject({ step: { kind: "idle" }, promised: undefined, lastId: 1 })
  }
})
