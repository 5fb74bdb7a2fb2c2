import { expect, test } from "vitest"
import { fromHex, toHex } from "../../src/crypto/bytes.ts"
import { FRAMES, type Frame } from "../../src/wire/frame.ts"
import { decodeFrames, encodeFrames } from "../../src/wire/padding.ts"
import frozen from "../vectors/frames.json" with { type: "json" }

const mid = (byte: number) => new Uint8Array(8).fill(byte)

/** What a change is about. */
const subject = {
  author: mid(5),
  id: mid(6),
  digest: new Uint8Array(16).fill(8),
  time: 1_800_000_000_003,
} as const

/** The contents of each frozen frame. */
const EXAMPLES: Record<string, Frame> = {
  text: { kind: "text", time: 1_800_000_000_000, replyTo: mid(7), text: Buffer.from("grüße") },
  ack: { kind: "ack", mids: [mid(1), mid(2)] },
  number: { kind: "number", number: 66_051 },
  original: { kind: "original", mid: mid(3) },
  read: { kind: "read", mids: [mid(4)] },
  typing: { kind: "typing", typing: true },
  "no longer typing": { kind: "typing", typing: false },
  timer: { kind: "timer", seconds: 86_400, setAt: 1_800_000_000_001 },
  moved: { kind: "moved", at: 1_800_000_000_002 },
  again: { kind: "again", numbers: [0, 258] },
  gone: { kind: "gone", numbers: [4_294_967_295] },
  edit: { kind: "edit", ...subject, text: Buffer.from("grüße dich") },
  delete: { kind: "delete", ...subject },
  reaction: { kind: "reaction", ...subject, emoji: Buffer.from("👍🏽") },
  "no reaction": { kind: "reaction", ...subject, emoji: Buffer.alloc(0) },
  nop: { kind: "nop" },
  topic: { kind: "topic", mailbox: new Uint8Array(16).fill(9) },
  "topic-ok": { kind: "topic-ok", mailbox: new Uint8Array(16).fill(9) },
}
/** session.json freezes the first three; a recovery bundle is written as in the first. */
const FROZEN_ELSEWHERE = ["hello", "pq-ek", "pq-ct", "recovery-bundle"]

const padded = (hex: string) => {
  const bytes = new Uint8Array(140)
  bytes.set(fromHex(hex))
  return bytes
}

/** Text as the decoder returns it, and not as a Buffer. */
function asRead(frame: Frame): Frame {
  if (frame.kind === "text" || frame.kind === "edit") return { ...frame, text: new Uint8Array(frame.text) }
  return frame.kind === "reaction" ? { ...frame, emoji: new Uint8Array(frame.emoji) } : frame
}

test.each(Object.entries(frozen.frames))("%s is written and read as the frozen bytes", (name, hex) => {
  const frame = EXAMPLES[name]!
  const written = encodeFrames([frame])!
  expect(toHex(written)).toBe(toHex(padded(hex)))
  expect(decodeFrames(padded(hex))).toEqual([asRead(frame)])
})

test("every frame listed here is frozen, and every kind of frame is listed", () => {
  expect(Object.keys(frozen.frames).sort()).toEqual(Object.keys(EXAMPLES).sort())
  const kinds = new Set([...Object.values(EXAMPLES).map(({ kind }) => kind as string), ...FROZEN_ELSEWHERE])
  expect([...kinds].sort()).toEqual(Object.keys(FRAMES).sort())
})

test.each(Object.entries(frozen.refused))("refused: %s", (_why, hex) => {
  expect(decodeFrames(padded(hex))).toBeUndefined()
})
