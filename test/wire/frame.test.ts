import fc from "fast-check"
import { expect, test } from "vitest"
import { EMOJI_MAX_BYTES } from "../../src/wire/emoji.ts"
import {
  GONE_REASONS,
  CHAIN_LINKS_MAX_BYTES,
  frameRule,
  LIST_MAX,
  TEXT_MAX_BYTES,
  TIMER_MAX_S,
  type Frame,
} from "../../src/wire/frame.ts"
import { listedIn } from "../../src/wire/one-message.ts"
import { BUCKETS, decodeFrames, encodeFrames, MESSAGE_OVERHEAD } from "../../src/wire/padding.ts"

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const id = fc.integer({ min: 1, max: 0xffff })
const u32 = fc.nat(0xffff_ffff)

const ACCOUNT = {
  accountId: new Uint8Array(32),
  length: 1,
  head: new Uint8Array(32),
  share: new Uint8Array(32),
}

const subject = { author: bytes(8), id: bytes(8), digest: bytes(16), time: fc.maxSafeNat() }

const GOOD_NAME = { name: new Uint8Array(1), recoveryBundle: new Uint8Array(1402) }

const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    kind: fc.constant("edit" as const),
    ...subject,
    text: fc.uint8Array({ minLength: 1, maxLength: 600 }),
  }),
  fc.record({ kind: fc.constant("delete" as const), ...subject }),
  fc.record({
    kind: fc.constant("reaction" as const),
    ...subject,
    emoji: fc.uint8Array({ maxLength: EMOJI_MAX_BYTES }),
  }),
  fc.record({
    kind: fc.constant("hello" as const),
    name: fc.uint8Array({ minLength: 1, maxLength: 64 }),
    recoveryBundle: bytes(1402),
    ...{ accountId: bytes(32), length: id, head: bytes(32), share: bytes(32) },
  }),
  fc.record({ kind: fc.constant("open" as const), nonce: bytes(32) }),
  fc.record({ kind: fc.constant("rejected" as const) }),
  fc.record({
    kind: fc.constant("chain" as const),
    accountId: bytes(32),
    first: fc.nat(0xffff),
    links: fc.uint8Array({ minLength: 1, maxLength: 600 }),
  }),
  fc.record({ kind: fc.constant("chain-ask" as const), accountId: bytes(32), first: fc.nat(0xffff) }),
  fc.record({
    kind: fc.constant("text" as const),
    id: bytes(8),
    time: fc.maxSafeNat(),
    text: fc.uint8Array({ minLength: 1, maxLength: 600 }),
  }),
  fc.record({
    kind: fc.constant("ack" as const),
    mids: fc.array(bytes(8), { minLength: 1, maxLength: LIST_MAX }),
  }),
  fc.record({
    kind: fc.constant("read" as const),
    ids: fc.array(bytes(8), { minLength: 1, maxLength: LIST_MAX }),
  }),
  fc.record({ kind: fc.constant("pq-ek" as const), id, encapsulationKey: bytes(1184) }),
  fc.record({ kind: fc.constant("pq-ct" as const), id, ciphertext: bytes(1088) }),
  fc.record({ kind: fc.constantFrom("topic" as const, "topic-ok" as const), mailbox: bytes(16) }),
  fc.record({ kind: fc.constant("recovery-bundle" as const), bundle: bytes(1402) }),
  fc.constant({ kind: "nop" as const }),
  fc.record({ kind: fc.constant("number" as const), number: u32 }),
  fc.record({ kind: fc.constant("reply" as const), author: bytes(8), id: bytes(8), digest: bytes(16) }),
  fc.record({ kind: fc.constant("typing" as const), typing: fc.boolean() }),
  fc.record({
    kind: fc.constant("timer" as const),
    seconds: fc.nat(TIMER_MAX_S),
    setAt: fc.maxSafeNat(),
  }),
  fc.record({ kind: fc.constant("moved" as const), at: fc.maxSafeNat() }),
  fc.record({
    kind: fc.constant("again" as const),
    numbers: fc.array(u32, { minLength: 1, maxLength: LIST_MAX }),
  }),
  fc.record({
    kind: fc.constant("gone" as const),
    reason: fc.constantFrom(...GONE_REASONS),
    numbers: fc.array(u32, { minLength: 1, maxLength: LIST_MAX }),
  }),
)

const textOf = (length: number): Frame => ({
  kind: "text",
  id: new Uint8Array(8),
  time: 1,
  text: new Uint8Array(length).fill(97),
})

const NUMBER: Frame = { kind: "number", number: 0 }

/** One message, as a writer makes it: each kind once, and one number beside one frame that is numbered. */
const anyMessage = fc
  .uniqueArray(anyFrame, { maxLength: 4, selector: ({ kind }) => kind })
  .map((frames) => {
    const numbered = frames.filter(({ kind }) => frameRule(kind).numbered)
    const kept = frames.filter((frame) => !numbered.slice(1).includes(frame))
    return numbered.length > 0 && !frames.some(({ kind }) => kind === "number") ? [...kept, NUMBER] : kept
  })
  .filter((frames) => frames.reduce((sum, frame) => sum + listedIn(frame), 0) <= LIST_MAX)

const padded = (bucket: number, ...start: number[]) => {
  const full = new Uint8Array(bucket - MESSAGE_OVERHEAD)
  full.set(start)
  return full
}

test("frames come back unchanged from a bucket", () => {
  fc.assert(
    fc.property(anyMessage, (frames) => {
      const encoded = encodeFrames(frames)!
      expect(BUCKETS).toContain(encoded.length + MESSAGE_OVERHEAD)
      expect(decodeFrames(encoded)).toEqual(frames)
    }),
  )
})

test("[W-2] [W-20] padded bytes that decode without an unknown frame encode to the same bytes", () => {
  const scrap = fc.tuple(
    fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 14, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26),
    fc.uint8Array({ maxLength: 40 }),
  )
  const row = fc.array(scrap, { maxLength: 3 }).map((scraps) => {
    const full = padded(256)
    full.set(scraps.flatMap(([type, body]) => [type, body.length, 0, ...body]).slice(0, full.length))
    return full
  })
  fc.assert(
    fc.property(fc.oneof(row, bytes(140)), (input) => {
      const frames = decodeFrames(input)
      if (frames === undefined || frames.some(({ kind }) => kind === "unknown")) return
      expect(encodeFrames(frames)).toEqual(input)
    }),
    { numRuns: 2000 },
  )
})

test("[W-20] the smallest bucket holds 113 bytes of text and not 114, the next 369", () => {
  const messageOf = (length: number) => encodeFrames([textOf(length), NUMBER])
  expect(messageOf(113)).toHaveLength(256 - MESSAGE_OVERHEAD)
  expect(messageOf(114)).toHaveLength(512 - MESSAGE_OVERHEAD)
  expect(messageOf(369)).toHaveLength(512 - MESSAGE_OVERHEAD)
  expect(messageOf(370)).toHaveLength(1024 - MESSAGE_OVERHEAD)
})

test("[W-22] the longest text leaves room in the largest bucket for its other frames, and no byte more", () => {
  const companions: Frame[] = [
    NUMBER,
    { kind: "reply", author: new Uint8Array(8), id: new Uint8Array(8), digest: new Uint8Array(16) },
    { kind: "timer", seconds: 1, setAt: 1 },
  ]
  // What is left is for the signature of a group's message, 3 and 64 bytes: an ACK of eight, and a NOP.
  const signature: Frame[] = [
    { kind: "ack", mids: Array.from({ length: 7 }, () => new Uint8Array(8)) },
    { kind: "nop" },
    { kind: "typing", typing: true },
  ]
  expect(TEXT_MAX_BYTES).toBe(65_276)
  const longest = [textOf(65_276), ...companions]
  expect(encodeFrames([...longest, ...signature])).toHaveLength(65_536 - MESSAGE_OVERHEAD)
  expect(encodeFrames([textOf(65_277), NUMBER])).toBeUndefined()
  const body = 16 + 65_277
  expect(decodeFrames(padded(65_536, 2, body & 255, body >> 8))).toBeUndefined()
  expect(encodeFrames([textOf(0), NUMBER])).toBeUndefined()
  expect(decodeFrames(padded(256, 2, 16, 0, ...new Array<number>(16).fill(0), 0x10, 4, 0))).toBeUndefined()
})

test("[W-20] padding that is not zero, too large a bucket, or no zero byte at the end is refused", () => {
  const encoded = encodeFrames([textOf(10), NUMBER])!
  const dirty = new Uint8Array(encoded)
  dirty[encoded.length - 1] = 1
  expect(decodeFrames(dirty)).toBeUndefined()
  expect(decodeFrames(padded(512, ...encoded))).toBeUndefined()
  const full = padded(256, 0x80, 137, 0)
  expect(decodeFrames(full)).toBeUndefined()
  expect(decodeFrames(new Uint8Array(0))).toBeUndefined()
})

test("[W-20] a body that is longer or shorter than its type defines is refused", () => {
  for (const length of [15, 17]) expect(decodeFrames(padded(256, 6, length, 0))).toBeUndefined()
  expect(decodeFrames(padded(256, 6, 16, 0))).toEqual([{ kind: "topic", mailbox: new Uint8Array(16) }])
  expect(decodeFrames(padded(256, 14, 1, 0))).toBeUndefined()
  expect(decodeFrames(padded(256, 7, 255, 255))).toBeUndefined()
})

test("a field outside its bounds is not written, and one on its bound is", () => {
  const mid = new Uint8Array(8)
  const mids = (...of: Uint8Array[]): Frame => ({ kind: "ack", mids: of })
  const gone = (...numbers: number[]): Frame => ({ kind: "gone", reason: "cancelled", numbers })
  const timer = (seconds: number, setAt = 1): Frame => ({ kind: "timer", seconds, setAt })
  const written: Frame[] = [
    mids(mid, mid),
    mids(...Array.from({ length: LIST_MAX }, () => mid)),
    gone(0, 0xffff_ffff),
    timer(0),
    timer(TIMER_MAX_S, 0),
    { kind: "moved", at: 0 },
  ]
  for (const frame of written) expect(decodeFrames(encodeFrames([frame])!)).toEqual([frame])
  const refused: Frame[] = [
    mids(),
    mids(mid, new Uint8Array(7)),
    mids(...Array.from({ length: LIST_MAX + 1 }, () => mid)),
    gone(1, -1),
    gone(1, 0.5),
    gone(1, 0x1_0000_0000),
    timer(-1),
    timer(0.5),
    timer(TIMER_MAX_S + 1),
    timer(1, -1),
    { kind: "moved", at: -1 },
    { kind: "unknown", type: 0x7f },
  ]
  for (const frame of refused) expect(encodeFrames([frame]), JSON.stringify(frame)).toBeUndefined()
})

test("[W-21] a name is 1 to 64 bytes", () => {
  const helloWith = (length: number): Frame => ({
    kind: "hello",
    name: new Uint8Array(length),
    recoveryBundle: new Uint8Array(1402),
    ...ACCOUNT,
  })
  expect(encodeFrames([helloWith(64)])).toBeDefined()
  expect(encodeFrames([helloWith(65)])).toBeUndefined()
  expect(encodeFrames([helloWith(0)])).toBeUndefined()
  const body = 1 + 65 + 1402 + 130
  expect(decodeFrames(padded(2048, 1, body & 255, body >> 8, 65))).toBeUndefined()
  expect(decodeFrames(padded(2048, 1, (1 + 1532) & 255, (1 + 1532) >> 8, 0))).toBeUndefined()
})

test("[W-23] an acknowledgement names 1 to 64 messages, as many as it counts", () => {
  const acks = (count: number): Frame => ({
    kind: "ack",
    mids: Array.from({ length: count }, () => new Uint8Array(8)),
  })
  expect(encodeFrames([acks(64)])).toBeDefined()
  expect(encodeFrames([acks(65)])).toBeUndefined()
  expect(encodeFrames([acks(0)])).toBeUndefined()
  expect(decodeFrames(padded(256, 3, 1, 0, 0))).toBeUndefined()
  expect(decodeFrames(padded(256, 3, 9, 0, 2))).toBeUndefined()
  expect(decodeFrames(padded(1024, 3, 9, 2, 65))).toBeUndefined()
  expect(encodeFrames([{ kind: "ack", mids: [new Uint8Array(7)] }])).toBeUndefined()
})

test("[W-24] the id of a step is never 0", () => {
  const key = { kind: "pq-ek" as const, encapsulationKey: new Uint8Array(1184) }
  expect(encodeFrames([{ ...key, id: 0 }])).toBeUndefined()
  expect(encodeFrames([{ ...key, id: 0x10000 }])).toBeUndefined()
  expect(encodeFrames([{ ...key, id: 0xffff }])).toBeDefined()
  expect(decodeFrames(padded(2048, 4, 0xa2, 4, 0, 0))).toBeUndefined()
})

const SUBJECT = {
  author: new Uint8Array(8),
  id: new Uint8Array(8),
  digest: new Uint8Array(16),
  time: 1,
}

/** A frame of zeros with its number. */
const change = (type: number, length: number) =>
  padded(256, type, length, 0, ...new Array<number>(length).fill(0), 0x10, 4, 0)

test("[W-61] an edit has 1 byte of text to as many as a text has, and its number fits beside it", () => {
  const edit = (length: number): Frame => ({
    kind: "edit",
    ...SUBJECT,
    text: new Uint8Array(length).fill(97),
  })
  expect(encodeFrames([edit(TEXT_MAX_BYTES), NUMBER])).toHaveLength(65_536 - MESSAGE_OVERHEAD)
  expect(encodeFrames([edit(TEXT_MAX_BYTES + 1), NUMBER])).toBeUndefined()
  expect(encodeFrames([edit(0), NUMBER])).toBeUndefined()
  expect(decodeFrames(change(0x18, 40))).toBeUndefined()
  expect(decodeFrames(change(0x18, 41))).toHaveLength(2)
})

test("[W-62] a deletion names a message and a time, and has no more", () => {
  expect(decodeFrames(change(0x19, 40))).toEqual([{ kind: "delete", ...SUBJECT, time: 0 }, NUMBER])
  expect(decodeFrames(change(0x19, 41))).toBeUndefined()
  expect(decodeFrames(change(0x19, 39))).toBeUndefined()
})

test("[W-63] a reaction has at most 64 bytes; none take it away", () => {
  const reaction = (length: number): Frame => ({
    kind: "reaction",
    ...SUBJECT,
    emoji: new Uint8Array(length),
  })
  expect(encodeFrames([reaction(EMOJI_MAX_BYTES), NUMBER])).toBeDefined()
  expect(encodeFrames([reaction(EMOJI_MAX_BYTES + 1), NUMBER])).toBeUndefined()
  expect(decodeFrames(change(0x1a, 40))).toEqual([{ ...reaction(0), time: 0 }, NUMBER])
  expect(decodeFrames(change(0x1a, 40 + EMOJI_MAX_BYTES + 1))).toBeUndefined()
})

test("[W-31] a typing notice is on or off", () => {
  expect(decodeFrames(padded(256, 0x13, 1, 0, 1))).toEqual([{ kind: "typing", typing: true }])
  expect(decodeFrames(padded(256, 0x13, 1, 0, 0))).toEqual([{ kind: "typing", typing: false }])
  expect(decodeFrames(padded(256, 0x13, 1, 0, 2))).toBeUndefined()
})

test("[W-32] a timer runs for at most 366 days", () => {
  const timer = (seconds: number): Frame => ({ kind: "timer", seconds, setAt: 1 })
  expect(encodeFrames([timer(TIMER_MAX_S)])).toBeDefined()
  expect(encodeFrames([timer(TIMER_MAX_S + 1)])).toBeUndefined()
  expect(encodeFrames([timer(0.5)])).toBeUndefined()
  expect(decodeFrames(padded(256, 0x14, 12, 0, 255, 255, 255, 255))).toBeUndefined()
})

test("[W-34] AGAIN and GONE name 1 to 64 texts, as many as they count", () => {
  const again = (count: number): Frame => ({ kind: "again", numbers: Array.from({ length: count }, () => 7) })
  expect(encodeFrames([again(64)])).toBeDefined()
  expect(encodeFrames([again(65)])).toBeUndefined()
  expect(encodeFrames([again(0)])).toBeUndefined()
  expect(encodeFrames([{ kind: "gone", reason: "cancelled", numbers: [2 ** 32] }])).toBeUndefined()
  for (const [at, reason] of (["cancelled", "given-up", "not-held"] as const).entries())
    expect(decodeFrames(padded(256, 0x17, 6, 0, at + 1, 1, 9, 0, 0, 0))).toEqual([
      { kind: "gone", reason, numbers: [9] },
    ])
  for (const reason of [0, 4, 255])
    expect(decodeFrames(padded(256, 0x17, 6, 0, reason, 1, 9, 0, 0, 0))).toBeUndefined()
  expect(decodeFrames(padded(256, 0x17, 6, 0, 1, 2, 9, 0, 0, 0))).toBeUndefined()
})

test("every fixed length is checked when it is written", () => {
  const id = new Uint8Array(8)
  const wrong: Frame[] = [
    { kind: "pq-ek", id: 1, encapsulationKey: new Uint8Array(1183) },
    { kind: "pq-ct", id: 1, ciphertext: new Uint8Array(1089) },
    { kind: "topic", mailbox: new Uint8Array(15) },
    { kind: "recovery-bundle", bundle: new Uint8Array(1401) },
    { kind: "hello", name: new Uint8Array(1), recoveryBundle: new Uint8Array(1403), ...ACCOUNT },
    { kind: "hello", name: new Uint8Array(1), recoveryBundle: new Uint8Array(1402), ...ACCOUNT, length: 0 },
    { kind: "chain", accountId: new Uint8Array(32), first: 0, links: new Uint8Array(0) },
    {
      kind: "chain",
      accountId: new Uint8Array(32),
      first: 0,
      links: new Uint8Array(CHAIN_LINKS_MAX_BYTES + 1),
    },
    { kind: "chain-ask", accountId: new Uint8Array(31), first: 0 },
    { kind: "hello", ...GOOD_NAME, ...ACCOUNT, accountId: new Uint8Array(31) },
    { kind: "hello", ...GOOD_NAME, ...ACCOUNT, head: new Uint8Array(33) },
    { kind: "hello", ...GOOD_NAME, ...ACCOUNT, share: new Uint8Array(64) },
    { kind: "hello", ...GOOD_NAME, ...ACCOUNT, length: 0 },
    { kind: "open", nonce: new Uint8Array(31) },
    { kind: "text", id, time: -1, text: new Uint8Array(1) },
    { kind: "text", id, time: 0.5, text: new Uint8Array(1) },
    { kind: "text", id: new Uint8Array(7), time: 1, text: new Uint8Array(1) },
    { kind: "reply", author: new Uint8Array(7), id, digest: new Uint8Array(16) },
    { kind: "reply", author: id, id: new Uint8Array(9), digest: new Uint8Array(16) },
    { kind: "reply", author: id, id, digest: new Uint8Array(15) },
    { kind: "read", ids: [new Uint8Array(7)] },
    { kind: "moved", at: -1 },
    { kind: "number", number: -1 },
    { kind: "edit", ...SUBJECT, time: -1, text: new Uint8Array(1) },
    { kind: "delete", ...SUBJECT, author: new Uint8Array(32) },
    { kind: "delete", ...SUBJECT, id: new Uint8Array(16) },
    { kind: "reaction", ...SUBJECT, digest: new Uint8Array(32), emoji: new Uint8Array(0) },
    { kind: "unknown", type: 0x70 },
  ]
  for (const frame of wrong) {
    const number = frameRule(frame.kind).numbered ? [NUMBER] : []
    expect(encodeFrames([frame, ...number])).toBeUndefined()
  }
})

test("[W-27] an unknown frame below 80 is reported, one from 80 on is skipped, and the rest is read", () => {
  const topic = [6, 16, 0, ...new Uint8Array(16)]
  const mailbox = new Uint8Array(16)
  expect(decodeFrames(padded(256, 0x7f, 2, 0, 9, 9, ...topic))).toEqual([
    { kind: "unknown", type: 0x7f },
    { kind: "topic", mailbox },
  ])
  expect(decodeFrames(padded(256, 0x80, 2, 0, 9, 9, ...topic))).toEqual([{ kind: "topic", mailbox }])
})
