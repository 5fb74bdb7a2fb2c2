/** A handshake costs about a millisecond; twice as long belongs to the messages of all others. */
const PAUSE_MS = 2

/** Starts one handshake at a time, with a pause after each, and each address after the other. */
export class HandshakeQueue {
  /** By address, in the order of their turns. */
  readonly #waiting = new Map<string, (() => void)[]>()
  readonly #afterPause: (run: () => void) => void
  #isPaused = false

  constructor(afterPause: (run: () => void) => void = (run) => void setTimeout(run, PAUSE_MS)) {
    this.#afterPause = afterPause
  }

  add(address: string, start: () => void): void {
    const own = this.#waiting.get(address)
    if (own === undefined) this.#waiting.set(address, [start])
    else own.push(start)
    if (!this.#isPaused) this.#next()
  }

  #next(): void {
    const [first] = this.#waiting
    this.#isPaused = first !== undefined
    if (first === undefined) return
    const [address, [start, ...others]] = first
    this.#waiting.delete(address)
    if (others.length > 0) this.#waiting.set(address, others)
    this.#afterPause(() => this.#next())
    start?.()
  }
}
