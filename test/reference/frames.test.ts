import { expect, test } from "vitest"
import { hex, toHex } from "./bytes.ts"
import { readFrames, writeFrame, type Frame } from "./frames.ts"
import { pad } from "./ratchet.ts"
import { unreadOf, vectorsOf } from "./vectors.ts"

const { frames, refused } = vectorsOf("frames.json") as {
  frames: (Frame & { example: string; bytes: string })[]
  refused: Record<string, string>
}

test.each(frames)("$example [W-20]", (vector) => {
  const { example, bytes, ...frame } = vector
  expect(toHex(writeFrame(frame)), example).toBe(bytes)
  expect(readFrames(pad(hex(bytes)))).toEqual([frame])
})

/** As long as the smallest bucket has room. */
function padded(bytes: string): Uint8Array {
  const room = new Uint8Array(140)
  room.set(hex(bytes))
  return room
}

test.each(Object.entries(refused))("refused: %s [W-20]", (_, bytes) => {
  expect(() => readFrames(padded(bytes))).toThrow()
})

test("no value is left unread", () => {
  expect(unreadOf("frames.json")).toEqual([])
})
