import { expect, test } from "vitest"
import { fromHex, toHex } from "../../src/crypto/bytes.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { decodeFrames, encodeFrames } from "../../src/wire/padding.ts"
import frozen from "../vectors/frames.json" with { type: "json" }

const mid = (byte: number) => new Uint8Array(8).fill(byte)

/** What each of the frozen frames says. */
const FRAMES: Record<string, Frame> = {
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
  nop: { kind: "nop" },
}

const padded = (hex: string) => {
  const bytes = new Uint8Array(140)
  bytes.set(fromHex(hex))
  return bytes
}

test.each(Object.entries(frozen.frames))("%s is written and read as it was frozen", (name, hex) => {
  const frame = FRAMES[name]!
  const written = encodeFrames([frame])!
  expect(toHex(written)).toBe(toHex(padded(hex)))
  expect(decodeFrames(padded(hex))).toEqual([
    frame.kind === "text" ? { ...frame, text: new Uint8Array(frame.text) } : frame,
  ])
})

test("every frame that is said here is frozen", () => {
  expect(Object.keys(frozen.frames).sort()).toEqual(Object.keys(FRAMES).sort())
})

test.each(Object.entries(frozen.refused))("refused: %s", (_why, hex) => {
  expect(decodeFrames(padded(hex))).toBeUndefined()
})
