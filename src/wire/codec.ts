import { compare, concat, utf8 } from "../crypto/bytes.ts"

/** Appends fields; integers are little-endian [W-1]. */
export class Writer {
  readonly #parts: Uint8Array[] = []

  u8(value: number): this {
    return this.bytes(Uint8Array.of(value))
  }

  u16(value: number): this {
    return this.bytes(littleEndian(value, 2))
  }

  u32(value: number): this {
    return this.bytes(littleEndian(value, 4))
  }

  u64(value: number): this {
    return this.bytes(littleEndian(value, 8))
  }

  bytes(part: Uint8Array): this {
    this.#parts.push(part)
    return this
  }

  /** Length as u16, then the bytes. */
  lv16(part: Uint8Array): this {
    return this.u16(part.length).bytes(part)
  }

  /** The same for the UTF-8 of a text. */
  text(text: string): this {
    return this.lv16(utf8(text))
  }

  done(): Uint8Array {
    return concat(...this.#parts)
  }
}

/** A whole number in `length` bytes [W-1]; throws RangeError for what does not fit or is beyond 2^53 - 1. */
export function littleEndian(value: number, length: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0 || value >= 256 ** length) {
    throw new RangeError(`a number does not fit ${length} bytes`)
  }
  const bytes = new Uint8Array(length)
  let left = value
  for (let at = 0; at < length; at += 1) {
    bytes[at] = left % 256
    left = Math.floor(left / 256)
  }
  return bytes
}

/**
 * Takes fields in order. After a read past the end, or `refuse()`, the reader is invalid: it then returns zeros and
 * `decode` returns undefined, so that decoders need no check at each field.
 */
export class Reader {
  readonly #bytes: Uint8Array
  #offset = 0
  #spoilt = false

  constructor(bytes: Uint8Array) {
    // A slice of a Buffer would be a view, and callers get a copy.
    this.#bytes = Buffer.isBuffer(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
      : bytes
  }

  u8(): number {
    return this.#number(1)
  }

  u16(): number {
    return this.#number(2)
  }

  u32(): number {
    return this.#number(4)
  }

  /** A u64 beyond 2^53 - 1 is refused: no field of ours is that large. */
  u64(): number {
    const value = this.#number(8)
    if (!Number.isSafeInteger(value)) this.refuse()
    return value
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length)
    return start === undefined ? new Uint8Array(0) : this.#bytes.slice(start, this.#offset)
  }

  /** Length as u16, then that many bytes, at most `max`. */
  lv16(max: number): Uint8Array {
    const length = this.u16()
    if (length > max) this.refuse()
    return this.bytes(this.#spoilt ? 0 : length)
  }

  /** The same for a text; bytes that are not exactly its UTF-8 are refused. */
  text(max: number): string {
    const bytes = this.lv16(max)
    const text = Buffer.from(bytes).toString("utf8")
    if (compare(bytes, utf8(text)) !== 0) this.refuse()
    return text
  }

  /** One byte, 0 or 1. */
  flag(): boolean {
    const flag = this.u8()
    if (flag > 1) this.refuse()
    return flag === 1
  }

  rest(): Uint8Array {
    return this.bytes(this.left)
  }

  get left(): number {
    return this.#bytes.length - this.#offset
  }

  get spoilt(): boolean {
    return this.#spoilt
  }

  refuse(): void {
    this.#spoilt = true
  }

  /** The offset of the next `length` bytes; undefined once the reader is invalid. */
  #take(length: number): number | undefined {
    if (this.#spoilt || length > this.left) {
      this.#spoilt = true
      return undefined
    }
    const start = this.#offset
    this.#offset += length
    return start
  }

  #number(length: number): number {
    const start = this.#take(length)
    if (start === undefined) return 0
    let value = 0
    for (let at = this.#offset - 1; at >= start; at -= 1) value = value * 256 + (this.#bytes[at] ?? 0)
    return value
  }
}

/** The result of `read` for all the bytes, or undefined if they are too short, too long or refused [W-2]. */
export function decode<T>(bytes: Uint8Array, read: (reader: Reader) => T | undefined): T | undefined {
  const reader = new Reader(bytes)
  const value = read(reader)
  return reader.spoilt || reader.left !== 0 ? undefined : value
}
