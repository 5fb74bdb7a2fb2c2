import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { LIST_MAX, type Frame } from "../../src/wire/frame.ts"
import { decodeFrames, encodeFrames, MESSAGE_OVERHEAD } from "../../src/wire/padding.ts"

const id = new Uint8Array(8)

/** Frames as bytes, whatever they are together: a program that follows no rule writes them so. */
function written(...frames: readonly (readonly [type: number, ...body: number[]])[]): Uint8Array {
  const bytes = frames.flatMap(([type, ...body]) => [type, body.length & 255, body.length >> 8, ...body])
  const bucket =
    [256, 512, 1024, 2048, 4096, 16384].find((size) => size - MESSAGE_OVERHEAD > bytes.length) ?? 65_536
  const padded = new Uint8Array(bucket - MESSAGE_OVERHEAD)
  padded.set(bytes)
  return padded
}

const text = (first: number): [number, ...number[]] => [2, first, ...new Array<number>(15).fill(0), 97]
const number = (n: number): [number, ...number[]] => [0x10, n, 0, 0, 0]
const list = (type: number, size: number, count: number): [number, ...number[]] => [
  type,
  count,
  ...new Array<number>(size * count).fill(1),
]

/** Its reason stands before the count. */
const goneList = (count: number): [number, ...number[]] => [0x17, 1, ...list(0x17, 4, count).slice(1)]

describe("[W-50] what one message holds", () => {
  test("is one text with its number: of two texts the second would be acknowledged and lost", () => {
    expect(decodeFrames(written(text(1), number(0)))).toHaveLength(2)
    expect(decodeFrames(written(number(0), text(1)))).toHaveLength(2)
    expect(decodeFrames(written(text(1), number(0), text(2)))).toBeUndefined()
    expect(decodeFrames(written(text(1), text(1), number(0)))).toBeUndefined()
  })

  test("is no text without a number, and no second number", () => {
    expect(decodeFrames(written(text(1)))).toBeUndefined()
    expect(decodeFrames(written(text(1), number(0), number(1)))).toBeUndefined()
    expect(decodeFrames(written(text(1), number(0), number(0)))).toBeUndefined()
    expect(decodeFrames(written(number(0), number(1)))).toBeUndefined()
  })

  test("may be a number beside frames that this version does not know", () => {
    expect(decodeFrames(written(number(4), [0x70, 1], [0x71, 2]))).toEqual([
      { kind: "number", number: 4 },
      { kind: "unknown", type: 0x70 },
      { kind: "unknown", type: 0x71 },
    ])
    expect(decodeFrames(written([0x90, 1], number(4)))).toEqual([{ kind: "number", number: 4 }])
  })

  test("is no frame of a kind twice", () => {
    const again = list(0x16, 4, 1)
    expect(decodeFrames(written(again))).toHaveLength(1)
    expect(decodeFrames(written(again, again))).toBeUndefined()
    expect(decodeFrames(written(...Array.from({ length: 1_000 }, () => again)))).toBeUndefined()
    expect(decodeFrames(written([0x13, 1], [0x13, 0]))).toBeUndefined()
    expect(decodeFrames(written([0x0e], [0x0e]))).toBeUndefined()
  })

  test("is 64 frames, also of types that this version does not know or ignores", () => {
    const many = (type: number, count: number) => Array.from({ length: count }, (): [number] => [type])
    for (const type of [0x70, 0x90]) {
      expect(decodeFrames(written(...many(type, 64)))).toBeDefined()
      expect(decodeFrames(written(...many(type, 65)))).toBeUndefined()
      expect(decodeFrames(written(...many(type, 21_000)))).toBeUndefined()
    }
  })

  test("lists 64 ids and numbers, in all lists together", () => {
    const lists = (acks: number, reads: number, again: number, gone: number): Uint8Array =>
      written(list(3, 8, acks), list(0x12, 8, reads), list(0x16, 4, again), goneList(gone))
    expect(decodeFrames(lists(16, 16, 16, 16))).toHaveLength(4)
    expect(decodeFrames(lists(17, 16, 16, 16))).toBeUndefined()
    expect(decodeFrames(lists(16, 17, 16, 16))).toBeUndefined()
    expect(decodeFrames(lists(16, 16, 17, 16))).toBeUndefined()
    expect(decodeFrames(lists(16, 16, 16, 17))).toBeUndefined()
  })
})

test("[W-2] a writer makes none that a reader refuses", () => {
  const ids = (length: number): Uint8Array[] => Array.from({ length }, () => id)
  const kinds = fc.constantFrom<Frame>(
    { kind: "text", id, time: 1, text: Uint8Array.of(97) },
    { kind: "number", number: 3 },
    { kind: "ack", mids: ids(40) },
    { kind: "read", ids: ids(24) },
    { kind: "gone", reason: "cancelled", numbers: [1] },
    { kind: "nop" },
    { kind: "typing", typing: true },
  )
  fc.assert(
    fc.property(fc.array(kinds, { maxLength: 6 }), (frames) => {
      const encoded = encodeFrames(frames)
      const count = (kind: Frame["kind"]): number => frames.filter((frame) => frame.kind === kind).length
      const isOnce = frames.every(({ kind }) => count(kind) === 1)
      const listed = 40 * count("ack") + 24 * count("read") + count("gone")
      const isMessage = isOnce && count("text") <= count("number") && listed <= LIST_MAX
      expect(encoded !== undefined).toBe(isMessage)
      if (encoded !== undefined) expect(decodeFrames(encoded)).toEqual(frames)
    }),
  )
})
