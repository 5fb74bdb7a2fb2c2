import { expect, test } from "vitest"
import { fromHex, toHex } from "../../src/crypto/bytes.ts"
import { FRAMES, type Frame } from "../../src/wire/frame.ts"
import { BUCKETS, decodeFrames, encodeFrames, MESSAGE_OVERHEAD } from "../../src/wire/padding.ts"
import { textDigest } from "../../src/wire/text-digest.ts"
import frozen from "../vectors/frames.json" with { type: "json" }
import { FRAME_EXAMPLES, frameVectors, messageOf } from "./frame-vectors.ts"

const padded = (hex: string) => {
  const frames = fromHex(hex)
  const bucket = BUCKETS.find((size) => size - MESSAGE_OVERHEAD > frames.length)!
  const bytes = new Uint8Array(bucket - MESSAGE_OVERHEAD)
  bytes.set(frames)
  return bytes
}

/** The same frame with arrays as `decodeFrames` makes them. */
function plain(frame: Frame): Frame {
  const fields = Object.entries(frame).map(([name, value]: [string, unknown]) => [
    name,
    value instanceof Uint8Array ? new Uint8Array(value) : value,
  ])
  return Object.fromEntries(fields) as Frame
}

test("every frame is written as the frozen bytes", () => {
  expect(frameVectors()).toEqual(frozen)
})

test.each(frozen.messages)("$example is read from the frozen bytes", ({ example, bytes }) => {
  const frames = messageOf(FRAME_EXAMPLES[example]!)
  expect(encodeFrames(frames)).toEqual(padded(bytes))
  expect(decodeFrames(padded(bytes))).toEqual(frames.map(plain))
})

test("every kind of frame is frozen", () => {
  const kinds = frozen.messages.map(({ frames }) => frames[0]!.kind)
  expect([...new Set(kinds)].sort()).toEqual(Object.keys(FRAMES).sort())
})

test.each(Object.entries(frozen.refused))("refused: %s", (_why, hex) => {
  expect(decodeFrames(padded(hex))).toBeUndefined()
})

test("[W-52] the digest of a text is frozen, and covers its id, time and text", () => {
  const { text } = FRAME_EXAMPLES
  if (text?.kind !== "text") throw new Error("no text")
  expect(toHex(textDigest(text))).toBe(frozen.textDigest)
  const others = [
    { ...text, id: new Uint8Array(8).fill(8) },
    { ...text, time: text.time + 1 },
    { ...text, text: Buffer.from("grüßE") },
  ]
  for (const other of others) expect(toHex(textDigest(other))).not.toBe(frozen.textDigest)
})
