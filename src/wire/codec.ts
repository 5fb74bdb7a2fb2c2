/** Appends fields; integers are little-endian [W-1]. */
export class Writer {
  readonly #parts: Uint8Array[] = []

  u8(value: number): this {
    return this.bytes(Uint8Array.of(value))
  }

  u16(value: number): this {
    const part = Buffer.alloc(2)
    part.writeUInt16LE(value)
    return this.bytes(part)
  }

  u32(value: number): this {
    const part = Buffer.alloc(4)
    part.writeUInt32LE(value)
    return this.bytes(part)
  }

  u64(value: number): this {
    const part = Buffer.alloc(8)
    part.writeBigUInt64LE(BigInt(value))
    return this.bytes(part)
  }

  bytes(part: Uint8Array): this {
    this.#parts.push(part)
    return this
  }

  /** Length as u16, then the bytes. */
  lv16(part: Uint8Array): this {
    return this.u16(part.length).bytes(part)
  }

  done(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts))
  }
}

/**
 * Takes fields in order. A read past the end, or `refuse()`, spoils the reader: it then returns zeros and
 * `decode` yields undefined, so that no decoder needs a check at each field.
 */
export class Reader {
  readonly #view: Buffer
  #offset = 0
  #spoilt = false

  constructor(bytes: Uint8Array) {
    this.#view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  u8(): number {
    return this.#take(1).readUInt8()
  }

  u16(): number {
    return this.#take(2).readUInt16LE()
  }

  u32(): number {
    return this.#take(4).readUInt32LE()
  }

  /** A u64 beyond 2^53 - 1 is refused: no field of ours is that large. */
  u64(): number {
    const value = this.#take(8).readBigUInt64LE()
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) this.refuse()
    return Number(value)
  }

  /** A copy of the next `length` bytes. */
  bytes(length: number): Uint8Array {
    return new Uint8Array(this.#take(length))
  }

  /** Length as u16, then that many bytes, at most `max`. */
  lv16(max: number): Uint8Array {
    const length = this.u16()
    if (length > max) this.refuse()
    return this.bytes(this.#spoilt ? 0 : length)
  }

  rest(): Uint8Array {
    return this.bytes(this.left)
  }

  get left(): number {
    return this.#view.length - this.#offset
  }

  get spoilt(): boolean {
    return this.#spoilt
  }

  refuse(): void {
    this.#spoilt = true
  }

  #take(length: number): Buffer {
    if (this.#spoilt || length > this.left) {
      this.#spoilt = true
      return Buffer.alloc(length > 8 ? 0 : 8)
    }
    this.#offset += length
    return this.#view.subarray(this.#offset - length, this.#offset)
  }
}

/** What `read` makes of all the bytes, or undefined if they are too short, too long or refused [W-2]. */
export function decode<T>(bytes: Uint8Array, read: (reader: Reader) => T | undefined): T | undefined {
  const reader = new Reader(bytes)
  const value = read(reader)
  return reader.spoilt || reader.left !== 0 ? undefined : value
}
