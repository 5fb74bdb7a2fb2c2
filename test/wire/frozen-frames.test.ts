import { expect, test } from "vitest"
import { fromHex, toHex } from "../../src/crypto/bytes.ts"
import { frameRule, FRAMES, type Frame } from "../../src/wire/frame.ts"
import { decodeFrames, encodeFrames } from "../../src/wire/padding.ts"
import { textDigest } from "../../src/wire/text-digest.ts"
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
  text: { kind: "text", id: mid(7), time: 1_800_000_000_000, text: Buffer.from("grüße") },
  ack: { kind: "ack", mids: [mid(1), mid(2)] },
  number: { kind: "number", number: 66_051 },
  reply: { kind: "reply", author: mid(3), id: mid(4), digest: new Uint8Array(16).fill(5) },
  read: { kind: "read", ids: [mid(4)] },
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
/** Beside a frame that is numbered stands its number [W-50]. */
const message = (frame: Frame): Frame[] =>
  frameRule(frame.kind).numbered ? [frame, { kind: "number", number: 66_051 }] : [frame]
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
  const frames = message(EXAMPLES[name]!)
  const written = encodeFrames(frames)!
  expect(toHex(written)).toBe(toHex(padded(hex)))
  expect(decodeFrames(padded(hex))).toEqual(frames.map(asRead))
})

test("every frame listed here is frozen, and every kind of frame is listed", () => {
  expect(Object.keys(frozen.frames).sort()).toEqual(Object.keys(EXAMPLES).sort())
  const kinds = new Set([...Object.values(EXAMPLES).map(({ kind }) => kind as string), ...FROZEN_ELSEWHERE])
  expect([...kinds].sort()).toEqual(Object.keys(FRAMES).sort())
})

test.each(Object.entries(frozen.refused))("refused: %s", (_why, hex) => {
  expect(decodeFrames(padded(hex))).toBeUndefined()
})

test("[W-52] the digest of a text is frozen, and covers its id, time and text", () => {
  const text = EXAMPLES.text
  if (text?.kind !== "text") throw new Error("no text")
  expect(toHex(textDigest(text))).toBe(frozen.textDigest)
  const others = [
    { ...text, id: mid(8) },
    { ...text, time: text.time + 1 },
    { ...text, text: Buffer.from("grüßE") },
  ]
  for (const other of others) expect(toHex(textDigest(other))).not.toBe(frozen.textDigest)
})
