const LF = 0x0a

/** Cuts a byte stream into lines of at most `maxBytes`; `undefined` comes once for a longer one, and nothing after it. */
export class LineReader {
  readonly #maxBytes: number
  readonly #onLine: (line: string | undefined) => void
  #parts: Buffer[] = []
  #length = 0
  #tooLong = false

  constructor(maxBytes: number, onLine: (line: string | undefined) => void) {
    this.#maxBytes = maxBytes
    this.#onLine = onLine
  }

  take(chunk: Buffer): void {
    let rest = chunk
    for (let end = rest.indexOf(LF); end !== -1; end = rest.indexOf(LF)) {
      this.#keep(rest.subarray(0, end))
      this.#flush()
      rest = rest.subarray(end + 1)
    }
    this.#keep(rest)
  }

  #keep(part: Buffer): void {
    this.#length += part.length
    if (this.#length <= this.#maxBytes) {
      this.#parts.push(part)
    } else if (!this.#tooLong) {
      this.#tooLong = true
      this.#parts = []
      this.#onLine(undefined)
    }
  }

  #flush(): void {
    if (this.#tooLong) return
    const line = Buffer.concat(this.#parts).toString("utf8")
    this.#parts = []
    this.#length = 0
    this.#onLine(line)
  }
}
