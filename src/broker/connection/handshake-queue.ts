/**
 * Starts one handshake in a turn of the event loop, each address after the other: a handshake costs about a millisecond,
 * and the messages of all others wait meanwhile.
 */
export class HandshakeQueue {
  /** By address, in the order of their turns. */
  readonly #waiting = new Map<string, (() => void)[]>()

  add(address: string, start: () => void): void {
    const own = this.#waiting.get(address)
    if (own !== undefined) {
      own.push(start)
      return
    }
    this.#waiting.set(address, [start])
    if (this.#waiting.size === 1) setImmediate(() => this.#next())
  }

  #next(): void {
    const [first] = this.#waiting
    if (first === undefined) return
    const [address, [start, ...others]] = first
    this.#waiting.delete(address)
    if (others.length > 0) this.#waiting.set(address, others)
    start?.()
    if (this.#waiting.size > 0) setImmediate(() => this.#next())
  }
}
