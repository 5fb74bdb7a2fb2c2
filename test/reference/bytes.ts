export function hex(digits: string): Uint8Array {
  return new Uint8Array(Buffer.from(digits, "hex"))
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex")
}

export function ascii(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "utf8"))
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

export function zeros(length: number): Uint8Array {
  return new Uint8Array(length)
}

/** Little-endian [W-1]. */
export function int(value: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => Math.floor(value / 256 ** at) % 256)
}

/** Length u16, then the bytes. */
export function field(bytes: Uint8Array | string): Uint8Array {
  const plain = typeof bytes === "string" ? ascii(bytes) : bytes
  return concat(int(plain.length, 2), plain)
}

/** A u8 of 0, or 1 and then the bytes. */
export function optional(bytes: Uint8Array | undefined): Uint8Array {
  return bytes === undefined ? int(0, 1) : concat(int(1, 1), bytes)
}

/** Takes fields one after the other; throws where the bytes end too early. */
export class Fields {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  take(length: number): Uint8Array {
    if (this.left < length) throw new Error("the bytes are too short")
    this.#at += length
    return this.#bytes.slice(this.#at - length, this.#at)
  }

  int(length: number): number {
    return this.take(length).reduceRight((value, byte) => value * 256 + byte, 0)
  }

  field(): Uint8Array {
    return this.take(this.int(2))
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  rest(): Uint8Array {
    return this.take(this.left)
  }

  end(): void {
    if (this.left > 0) throw new Error("the bytes have a rest")
  }
}
