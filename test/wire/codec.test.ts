import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { decode, littleEndian, Reader, Writer } from "../../src/wire/codec.ts"

describe("a number", () => {
  test.each([
    [0, 1, [0]],
    [255, 1, [255]],
    [256, 2, [0, 1]],
    [0x0403_0201, 4, [1, 2, 3, 4]],
    [Number.MAX_SAFE_INTEGER, 8, [255, 255, 255, 255, 255, 255, 31, 0]],
  ])("%d in %d bytes has the least significant first [W-1]", (value, length, bytes) => {
    expect([...littleEndian(value, length)]).toEqual(bytes)
  })

  test.each([
    [256, 1],
    [65_536, 2],
    [-1, 2],
    [0.5, 2],
    [Number.NaN, 8],
    [Number.MAX_SAFE_INTEGER + 1, 8],
  ])("%d does not fit %d bytes", (value, length) => {
    expect(() => littleEndian(value, length)).toThrow(new RangeError(`a number does not fit ${length} bytes`))
  })
})

describe("a reader", () => {
  test("gives back what a writer wrote, field by field", () => {
    const part = Uint8Array.of(7, 8, 9)
    const written = new Writer().u8(1).u16(2).u32(3).u64(4).bytes(part).lv16(part).bytes(part).done()
    const reader = new Reader(written)
    expect([reader.u8(), reader.u16(), reader.u32(), reader.u64()]).toEqual([1, 2, 3, 4])
    expect([reader.bytes(3), reader.lv16(3), reader.rest()]).toEqual([part, part, part])
    expect([reader.left, reader.spoilt]).toEqual([0, false])
  })

  test("that is asked for more than there is gives zeros and nothing from then on", () => {
    const reader = new Reader(Uint8Array.of(1, 2))
    expect(reader.u32()).toBe(0)
    expect(reader.spoilt).toBe(true)
    expect(reader.u8()).toBe(0)
    expect(reader.bytes(1)).toEqual(new Uint8Array(0))
    expect(reader.rest()).toEqual(new Uint8Array(0))
  })

  test("hands out copies, of a Buffer too", () => {
    const source = Buffer.from([1, 2, 3])
    const taken = new Reader(source).bytes(3)
    source.fill(0)
    expect(taken).toEqual(Uint8Array.of(1, 2, 3))
  })
})

describe("bytes decode", () => {
  test("only if all are read, and none is missing or refused [W-2]", () => {
    const read = (reader: Reader): number => reader.u16()
    expect(decode(Uint8Array.of(1, 0), read)).toBe(1)
    expect(decode(Uint8Array.of(1), read)).toBeUndefined()
    expect(decode(Uint8Array.of(1, 0, 0), read)).toBeUndefined()
    const refused = (reader: Reader): number => {
      reader.refuse()
      return reader.u16()
    }
    expect(decode(Uint8Array.of(1, 0), refused)).toBeUndefined()
  })

  test("only up to the length that a field may have", () => {
    const read = (reader: Reader): Uint8Array => reader.lv16(2)
    expect(decode(Uint8Array.of(2, 0, 5, 6), read)).toEqual(Uint8Array.of(5, 6))
    expect(decode(Uint8Array.of(3, 0, 5, 6, 7), read)).toBeUndefined()
  })

  test("only if a u64 is a safe integer in JavaScript", () => {
    const read = (reader: Reader): number => reader.u64()
    expect(decode(littleEndian(Number.MAX_SAFE_INTEGER, 8), read)).toBe(Number.MAX_SAFE_INTEGER)
    expect(decode(Uint8Array.of(0, 0, 0, 0, 0, 0, 32, 0), read)).toBeUndefined()
  })
})

describe("a text", () => {
  const MAX = 64
  const read = (bytes: Uint8Array): string | undefined => decode(bytes, (reader) => reader.text(MAX))

  test("is read as it was written, if it is not too long", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
        const bytes = new Writer().text(text).done()
        expect(read(bytes)).toBe(Buffer.byteLength(text) <= MAX ? text : undefined)
      }),
    )
  })

  test("of any bytes is undefined or has just these bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
        const text = read(new Writer().lv16(bytes).done())
        if (text !== undefined) expect([...Buffer.from(text)]).toEqual([...bytes])
      }),
    )
  })

  test.each([[[0xff]], [[0xc0, 0x80]], [[0xed, 0xa0, 0x80]], [[0xe2, 0x82]]])("is never %j", (bytes) => {
    expect(read(new Writer().lv16(Uint8Array.from(bytes)).done())).toBeUndefined()
  })

  test("keeps its byte order mark", () => {
    expect(read(new Writer().text("\ufeffalice").done())).toBe("\ufeffalice")
  })
})

test.each([
  [0, false],
  [1, true],
  [2, undefined],
  [255, undefined],
])("a flag of %i is %o", (byte, flag) => {
  expect(decode(Uint8Array.of(byte), (reader) => reader.flag())).toBe(flag)
})
