import { concat } from "../crypto/bytes.ts"

/** Reads exact lengths of bytes that arrive in pieces of any size; holds at most one piece more than was requested. */
export class StreamReader {
  readonly #source: AsyncIterator<Uint8Array>
  #buffered: Uint8Array = new Uint8Array(0)
  #ended = false

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** The next `length` bytes; fewer only at the end of the source. */
  async read(length: number): Promise<Uint8Array> {
    const parts = [this.#buffered]
    let got = this.#buffered.length
    while (got < length) {
      const piece = await this.#next()
      if (piece === undefined) break
      parts.push(piece)
      got += piece.length
    }
    const bytes = parts.length === 1 ? this.#buffered : concat(...parts)
    this.#buffered = bytes.subarray(length)
    return bytes.subarray(0, length)
  }

  /** Whether the source has ended. */
  async isAtEnd(): Promise<boolean> {
    while (this.#buffered.length === 0) {
      const piece = await this.#next()
      if (piece === undefined) return true
      this.#buffered = piece
    }
    return false
  }

  async #next(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined
    const next = await this.#source.next()
    this.#ended = next.done === true
    return next.done === true ? undefined : next.value
  }
}
