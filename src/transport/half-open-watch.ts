/** Two of these without a byte, and the connection is dead: it is noticed within 24 s, whenever the silence began. */
const PERIOD_MS = 8_000
/** A slow mobile line. What is still on its way out delays the answer to it. */
const SLOWEST_BYTES_PER_MS = 8

export type HalfOpenWatchOptions = {
  readonly bytesWritten: () => number
  /** Whether an answer of the broker is awaited. */
  readonly isWaiting: () => boolean
  /** Asks for an answer. */
  readonly ping: () => void
  readonly onDead: () => void
  /** Runs `run` once after `ms`; the returned function cancels it. */
  readonly after: (ms: number, run: () => void) => () => void
}

/**
 * Notices a connection whose other side is gone without a word, while an answer is awaited [D-173]. MQTT's own keep-alive
 * starts again with each packet that is sent, and takes longer.
 */
export class HalfOpenWatch {
  readonly #options: HalfOpenWatchOptions
  #cancel: (() => void) | undefined
  #hasBytes = false
  #bytesWritten = 0
  #quietPeriods = 0

  constructor(options: HalfOpenWatchOptions) {
    this.#options = options
  }

  /** An answer is awaited from now on. */
  start(): void {
    if (this.#cancel !== undefined) return
    this.#note()
    this.#next()
  }

  /** Bytes have come. */
  onBytes(): void {
    this.#hasBytes = true
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #next(): void {
    this.#cancel = this.#options.after(PERIOD_MS, () => this.#periodIsOver())
  }

  #note(): void {
    this.#hasBytes = false
    this.#bytesWritten = this.#options.bytesWritten()
    this.#quietPeriods = 0
  }

  #periodIsOver(): void {
    this.#cancel = undefined
    const { isWaiting, ping, onDead } = this.#options
    if (!isWaiting()) return
    if (this.#hasBytes) this.#note()
    else this.#quietPeriods += 1
    if (this.#quietPeriods === 1) ping()
    if (this.#quietPeriods < 2 + this.#periodsToSend()) this.#next()
    else onDead()
  }

  /** For what was written since the last byte came. */
  #periodsToSend(): number {
    const unanswered = this.#options.bytesWritten() - this.#bytesWritten
    return Math.floor(unanswered / SLOWEST_BYTES_PER_MS / PERIOD_MS)
  }
}
