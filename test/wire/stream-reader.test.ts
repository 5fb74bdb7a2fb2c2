import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { concat } from "../../src/crypto/bytes.ts"
import { StreamReader } from "../../src/wire/stream-reader.ts"

/** Pieces one after the other, and how many were requested. */
function source(pieces: readonly Uint8Array[]): {
  readonly asked: () => number
  readonly reader: StreamReader
} {
  let asked = 0
  const left = [...pieces]
  const next = (): Promise<IteratorResult<Uint8Array>> => {
    asked++
    const value = left.shift()
    return Promise.resolve(value === undefined ? { done: true, value } : { done: false, value })
  }
  return { asked: () => asked, reader: new StreamReader({ [Symbol.asyncIterator]: () => ({ next }) }) }
}

describe("bytes in pieces of any size", () => {
  test("are read in the requested lengths, and fewer only at the end", async () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 9 }), { maxLength: 8 })
    const takes = fc.array(fc.nat({ max: 12 }), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(pieces, takes, async (given, lengths) => {
        const { reader } = source(given)
        const all = concat(...given)
        let at = 0
        for (const length of lengths) {
          expect(await reader.read(length)).toEqual(all.subarray(at, at + length))
          at = Math.min(at + length, all.length)
          expect(await reader.isAtEnd()).toBe(at === all.length)
        }
      }),
    )
  })

  test("cause no request for a piece that is not needed, and none after the last", async () => {
    const { asked, reader } = source([Uint8Array.of(1, 2, 3), new Uint8Array(0), Uint8Array.of(4)])
    expect(await reader.read(2)).toEqual(Uint8Array.of(1, 2))
    expect(await reader.read(1)).toEqual(Uint8Array.of(3))
    expect(asked()).toBe(1)
    expect(await reader.isAtEnd()).toBe(false)
    expect(asked()).toBe(3)
    expect(await reader.read(9)).toEqual(Uint8Array.of(4))
    expect(await reader.isAtEnd()).toBe(true)
    expect(await reader.read(1)).toEqual(new Uint8Array(0))
    expect(asked()).toBe(4)
  })
})
