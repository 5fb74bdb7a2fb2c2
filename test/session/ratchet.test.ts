import { expect, test } from "vitest"
import type { HeaderKey, RootKey } from "../../src/crypto/bytes.ts"
import { boxKeyPair, seal as sealBox } from "../../src/crypto/nacl.ts"
import { tagBlock } from "../../src/session/chain.ts"
import { CHAIN_MAX, messageId, openHeader } from "../../src/session/message.ts"
import { expects } from "../../src/session/locate-keys.ts"
import { open, seal, SKIP_MAX } from "../../src/session/ratchet.ts"
import { SKIPPED_MAX, SKIPPED_MAX_SECONDS } from "../../src/session/skipped.ts"
import { encodeSession } from "../../src/session/snapshot.ts"
import { startResponder } from "../../src/session/start.ts"
import type { Session } from "../../src/session/state.ts"
import { BUCKETS } from "../../src/wire/padding.ts"
import {
  establishedSessions,
  flipped,
  openMessage,
  NOW,
  refusal,
  sealText,
  seededRandom,
  text,
} from "./session-fixture.ts"

const random = seededRandom("ratchet")

/** `count` messages of one chain, and the session after them. */
function stream(from: Session, count: number) {
  const wires: Uint8Array[] = []
  let session = from
  for (let at = 0; at < count; at += 1) {
    const sealed = sealText(session, `message ${at}`, random)
    wires.push(sealed.wire)
    session = sealed.next
  }
  return { wires, session }
}

test("[S-20] the owner of the bundle cannot send before it has received", () => {
  const agreed = {
    transcript: random(32),
    root: random(32) as RootKey,
    initiatorHeaderKey: random(32) as HeaderKey,
    responderHeaderKey: random(32) as HeaderKey,
  }
  const waiting = startResponder(agreed, boxKeyPair(random))
  expect(seal(waiting, text("too early"), random)).toEqual({ kind: "refused", why: "waiting-for-peer" })
})

test("[S-20] neither sealing nor opening changes the given session", () => {
  const { alice, bob } = establishedSessions(random)
  const before = [encodeSession(alice), encodeSession(bob)]
  const sealed = sealText(alice, "hello", random)
  openMessage(bob, sealed.wire)
  expect([encodeSession(alice), encodeSession(bob)]).toEqual(before)
})

test("a conversation of turns: each side answers the other, and each answer begins a new chain", () => {
  let { alice, bob } = establishedSessions(random)
  for (let turn = 0; turn < 20; turn += 1) {
    const asked = sealText(alice, `question ${turn}`, random)
    const opened = openMessage(bob, asked.wire)
    expect(opened).toMatchObject({ words: [`question ${turn}`], newChain: true })
    const answered = sealText(opened.next, `answer ${turn}`, random)
    const back = openMessage(asked.next, answered.wire)
    expect(back).toMatchObject({ words: [`answer ${turn}`], newChain: true, mid: answered.mid })
    alice = back.next
    bob = answered.next
  }
})

test("[S-34] both send at once, again and again", () => {
  let { alice, bob } = establishedSessions(random)
  for (let turn = 0; turn < 10; turn += 1) {
    const hers = sealText(alice, `hers ${turn}`, random)
    const his = sealText(bob, `his ${turn}`, random)
    const atAlice = openMessage(hers.next, his.wire)
    const atBob = openMessage(his.next, hers.wire)
    expect([atAlice.words, atBob.words]).toEqual([[`his ${turn}`], [`hers ${turn}`]])
    alice = atAlice.next
    bob = atBob.next
  }
})

test("[S-31] a message opens once: the second time its tag is unknown", () => {
  const { alice, bob } = establishedSessions(random)
  const { wires } = stream(alice, 3)
  const afterThird = openMessage(bob, wires[2]!).next
  const afterFirst = openMessage(afterThird, wires[0]!).next
  for (const wire of [wires[0]!, wires[2]!]) expect(refusal(afterFirst, wire)).toBe("unknown-tag")
  expect(openMessage(afterFirst, wires[1]!).words).toEqual(["message 1"])
})

test("[S-31] messages of one chain open in any order", () => {
  const { alice, bob } = establishedSessions(random)
  const { wires } = stream(alice, 40)
  let session: Session = bob
  for (const at of [39, 0, 17, ...Array.from({ length: 38 }, (_, n) => n + 1).filter((n) => n !== 17)]) {
    const opened = openMessage(session, wires[at]!)
    expect(opened.words).toEqual([`message ${at}`])
    session = opened.next
  }
  expect(session.skipped).toEqual([])
})

test("[S-31] what was missing in a chain opens after the next chain has begun", () => {
  const { alice, bob } = establishedSessions(random)
  const first = stream(alice, 5)
  const opened = openMessage(bob, first.wires[1]!)
  const answer = sealText(opened.next, "go on", random)
  const second = sealText(openMessage(first.session, answer.wire).next, "second chain", random)
  let session = openMessage(answer.next, second.wire).next
  for (const at of [0, 4, 2, 3]) {
    const late = openMessage(session, first.wires[at]!)
    expect(late).toMatchObject({ words: [`message ${at}`], newChain: false })
    session = late.next
  }
})

test("[S-31] a changed bit anywhere is refused and leaves the session as it was", () => {
  const { alice, bob } = establishedSessions(random)
  const { wire } = sealText(alice, "hello", random)
  for (let bit = 0; bit < wire.length * 8; bit += 61) {
    expect(refusal(bob, flipped(wire, bit))).toMatch(/^(unknown-tag|forged)$/)
  }
  expect(openMessage(bob, wire).words).toEqual(["hello"])
})

test("[S-31] [S-26] a changed bit in a message that was overtaken is refused, and the original still opens", () => {
  const { alice, bob } = establishedSessions(random)
  const { wires } = stream(alice, 2)
  const session = openMessage(bob, wires[1]!).next
  for (const bit of [16 * 8, 40 * 8, 99 * 8, 100 * 8, 255 * 8]) {
    expect(refusal(session, flipped(wires[0]!, bit))).toBe("forged")
  }
  expect(openMessage(session, wires[0]!).words).toEqual(["message 0"])
})

test("[S-31] bytes of no bucket's length are malformed, random bytes of a bucket's length unknown", () => {
  const { bob } = establishedSessions(random)
  for (const length of [0, 1, 255, 257, 65_537]) expect(refusal(bob, random(length))).toBe("malformed")
  for (const length of BUCKETS) expect(refusal(bob, random(length))).toBe("unknown-tag")
})

test("[S-31] a known tag before random bytes is a forgery", () => {
  const { alice, bob } = establishedSessions(random)
  const wire = random(256)
  wire.set(sealText(alice, "hello", random).wire.subarray(0, 16))
  expect(refusal(bob, wire)).toBe("forged")
})

test("[S-26] header and body of two messages do not go together", () => {
  const { alice, bob } = establishedSessions(random)
  const { wires } = stream(alice, 2)
  const mixed = new Uint8Array(wires[0]!)
  mixed.set(wires[1]!.subarray(100), 100)
  expect(refusal(bob, mixed)).toBe("forged")
  const exchanged = new Uint8Array(wires[1]!)
  exchanged.set(wires[0]!.subarray(0, 16))
  expect(refusal(bob, exchanged)).toBe("forged")
})

test("[S-26] a message of another conversation does not open, though all else is equal", () => {
  const { alice, bob } = establishedSessions(random)
  const { wire } = sealText(alice, "hello", random)
  expect(refusal({ ...bob, transcript: random(32) }, wire)).toBe("forged")
})

test("only Bob can open what Alice seals, not even Alice", () => {
  const { alice } = establishedSessions(random)
  const sealed = sealText(alice, "hello", random)
  const strangers = establishedSessions(random)
  for (const other of [alice, sealed.next, strangers.alice, strangers.bob]) {
    expect(refusal(other, sealed.wire)).toBe("unknown-tag")
  }
})

test("[S-33] a jump over 1024 messages opens, one over 1025 waits for what lies between", () => {
  const { alice, bob } = establishedSessions(random)
  const { wires } = stream(alice, SKIP_MAX + 2)
  expect(refusal(bob, wires[SKIP_MAX + 1]!)).toBe("too-far-ahead")
  expect(openMessage(bob, wires[SKIP_MAX]!).next.skipped).toHaveLength(SKIP_MAX)
  const closer = openMessage(bob, wires[0]!).next
  expect(refusal(closer, wires[SKIP_MAX + 1]!)).toBe("opened")
})

test("[S-33] the same limit holds across the end of a chain", () => {
  const { alice, bob } = establishedSessions(random)
  const first = stream(alice, SKIP_MAX + 3)
  const opened = openMessage(bob, first.wires[0]!)
  const answer = sealText(opened.next, "go on", random)
  const second = sealText(openMessage(first.session, answer.wire).next, "second chain", random)
  expect(refusal(answer.next, second.wire)).toBe("too-far-ahead")
  const nearer = openMessage(answer.next, first.wires[2]!).next
  const after = openMessage(nearer, second.wire).next
  expect(after.skipped).toHaveLength(SKIP_MAX + 1)
  expect(openMessage(after, first.wires[SKIP_MAX + 2]!).words).toEqual([`message ${SKIP_MAX + 2}`])
})

test("[S-33] of more than 2048 skipped keys the oldest go", () => {
  const { alice, bob } = establishedSessions(random)
  const { wires } = stream(alice, 2 * SKIP_MAX + 10)
  let session: Session = bob
  for (const at of [SKIP_MAX, 2 * SKIP_MAX, 2 * SKIP_MAX + 9]) session = openMessage(session, wires[at]!).next
  expect(session.skipped).toHaveLength(SKIPPED_MAX)
  expect(refusal(session, wires[0]!)).toBe("unknown-tag")
  expect(refusal(session, wires[2 * SKIP_MAX + 8]!)).toBe("opened")
})

test("[S-33] a skipped key goes after fourteen days, with the next message that opens", () => {
  const { alice, bob } = establishedSessions(random)
  const { wires } = stream(alice, 4)
  const skipping = openMessage(bob, wires[1]!, NOW).next
  const inTime = openMessage(skipping, wires[2]!, NOW + SKIPPED_MAX_SECONDS).next
  expect(refusal(inTime, wires[0]!)).toBe("opened")
  const late = openMessage(skipping, wires[2]!, NOW + SKIPPED_MAX_SECONDS + 1).next
  expect(refusal(late, wires[0]!)).toBe("unknown-tag")
})

test("[S-32] the table knows which messages are expected, and which need trial decryption", () => {
  const { alice, bob } = establishedSessions(random)
  const { wires } = stream(alice, 40)
  expect(expects(bob, wires[0]!)).toBe(true)
  expect(expects(bob, wires[15]!)).toBe(true)
  expect(expects(bob, wires[16]!)).toBe(false)
  expect(expects(bob, random(256))).toBe(false)
  const ahead = openMessage(bob, wires[39]!).next
  expect(expects(ahead, wires[39]!)).toBe(false)
  expect(expects(ahead, wires[16]!)).toBe(true)
})

test("[S-30] a chain holds 65,535 messages, then it waits for the peer", () => {
  const { alice, bob } = establishedSessions(random)
  const begun = sealText(alice, "first", random)
  const { sending } = begun.next
  const tags = tagBlock(sending.headerKey, Math.floor((CHAIN_MAX - 1) / 16))
  const almost = { ...begun.next, sending: { ...sending, sent: CHAIN_MAX - 1, tags } }
  const last = sealText(almost, "last", random)
  expect(seal(last.next, text("too many"), random)).toEqual({ kind: "refused", why: "chain-full" })
  const answered = sealText(openMessage(bob, begun.wire).next, "I am here", random)
  expect(sealText(openMessage(last.next, answered.wire).next, "on we go", random).next.sending.sent).toBe(1)
})

test("[S-25] a header with an impossible number, or with its last field not zero, is no header", () => {
  const headerKey = random(32) as HeaderKey
  const wireWith = (change: (header: Buffer) => void) => {
    const header = Buffer.alloc(44, 1)
    header.fill(0, 42)
    header.writeUInt32LE(CHAIN_MAX, 32)
    header.writeUInt32LE(CHAIN_MAX - 1, 36)
    change(header)
    const wire = random(256)
    wire.set(sealBox(header, wire.subarray(16, 40), headerKey), 40)
    return wire
  }
  expect(
    openHeader(
      wireWith(() => undefined),
      headerKey,
    )?.n,
  ).toBe(CHAIN_MAX - 1)
  expect(
    openHeader(
      wireWith((header) => header.writeUInt32LE(CHAIN_MAX, 36)),
      headerKey,
    ),
  ).toBeUndefined()
  expect(
    openHeader(
      wireWith((header) => header.writeUInt32LE(CHAIN_MAX + 1, 32)),
      headerKey,
    ),
  ).toBeUndefined()
  expect(
    openHeader(
      wireWith((header) => header.writeUInt16LE(1, 42)),
      headerKey,
    ),
  ).toBeUndefined()
})

test("a text that fits no bucket is refused", () => {
  const { alice } = establishedSessions(random)
  const long = text("x".repeat(65_401))
  expect(seal(alice, long, random)).toEqual({ kind: "refused", why: "too-long" })
  expect(sealText(alice, "x".repeat(65_276), random).wire).toHaveLength(65_536)
})

test("[S-27] the id of a message follows from its bytes, and differs for each", () => {
  const { alice } = establishedSessions(random)
  const first = sealText(alice, "hello", random)
  expect(messageId(first.wire)).toEqual(first.mid)
  expect(first.mid).toHaveLength(16)
  expect(sealText(first.next, "hello", random).mid).not.toEqual(first.mid)
})

test("[S-26] a restored state that uses a key twice for two texts does not use the nonce twice", () => {
  const { alice } = establishedSessions(random)
  const { next } = sealText(alice, "before the backup", random)
  const one = sealText(next, "one", random).wire
  const other = sealText(next, "two", random).wire
  expect(one.subarray(0, 16)).toEqual(other.subarray(0, 16))
  expect(one.subarray(16, 40)).not.toEqual(other.subarray(16, 40))
})

test("[S-23] all visible bytes of a message are new each time", () => {
  const { alice } = establishedSessions(random)
  const { wires } = stream(alice, 64)
  const tags = new Set(wires.map((wire) => Buffer.from(wire.subarray(0, 16)).toString("hex")))
  expect(tags.size).toBe(64)
  const headerKey = random(32) as HeaderKey
  expect(tagBlock(headerKey, 0)).not.toEqual(tagBlock(headerKey, 1))
})

test("keys that Mallory steals from Bob open no earlier message, nor any after both have answered", () => {
  const { alice, bob } = establishedSessions(random)
  const past = sealText(alice, "yesterday", random)
  const opened = openMessage(bob, past.wire)
  const stolen = opened.next
  expect(refusal(stolen, past.wire)).toBe("unknown-tag")
  const his = sealText(opened.next, "today", random)
  const hers = sealText(openMessage(past.next, his.wire).next, "today too", random)
  const healed = sealText(openMessage(his.next, hers.wire).next, "tomorrow", random)
  const last = sealText(openMessage(hers.next, healed.wire).next, "tomorrow too", random)
  expect(open(stolen, last.wire, NOW)).toEqual({ kind: "refused", why: "unknown-tag" })
})
