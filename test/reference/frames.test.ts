import { expect, test } from "vitest"
import { ascii, concat, hex, toHex } from "./bytes.ts"
import { readFrames, writeFrame, type Frame } from "./frames.ts"
import { H } from "./primitives.ts"
import { pad } from "./ratchet.ts"
import { unreadOf, vectorsOf } from "./vectors.ts"

const { messages, refused, textDigest } = vectorsOf("frames.json") as {
  messages: { example: string; frames: Frame[]; bytes: string }[]
  textDigest: string
  refused: Record<string, string>
}

test.each(messages)("$example [W-20] [W-50]", ({ example, frames, bytes }) => {
  expect(toHex(concat(...frames.map(writeFrame))), example).toBe(bytes)
  expect(readFrames(pad(hex(bytes)))).toEqual(frames)
})

test("the digest of a text [W-52]", () => {
  const text = messages.find(({ example }) => example === "text")!.frames[0]!
  const body = writeFrame(text).slice(3)
  expect(toHex(H(ascii("mqttchat/1 text"), body).slice(0, 16))).toBe(textDigest)
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
