/** How long a process may be busy before it counts as stopped: opening keys on a slow machine takes seconds. */
export const ANSWER_WAIT_MS = 10_000
/** The shortest limit that a user can set: a busy process needs this long for a first answer. */
export const ANSWER_WAIT_MIN_MS = 2_000

/** A request may take days, but a process that runs answers a ping at once. */
export type SilenceWatchOptions = {
  readonly answerMs: number
  readonly ping: () => void
  readonly onSilence: () => void
}

/**
 * Notices a peer that has stopped running, while an answer or event of it is awaited: it is asked after half of the time
 * and counts as silent after the other half.
 */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions
  #timer: NodeJS.Timeout | undefined
  #quietHalves = 0

  constructor(options: SilenceWatchOptions) {
    this.#options = options
  }

  /** Something is awaited from now on. */
  start(): void {
    if (this.#timer !== undefined) return
    this.#quietHalves = 0
    // What came while this process itself did not run is read first.
    this.#timer = setInterval(() => setImmediate(() => this.#halfIsOver()), this.#options.answerMs / 2)
  }

  /** Bytes have come. */
  onBytes(): void {
    this.#quietHalves = -1
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #halfIsOver(): void {
    if (this.#timer === undefined) return
    this.#quietHalves += 1
    if (this.#quietHalves === 1) this.#options.ping()
    if (this.#quietHalves < 2) return
    this.stop()
    this.#options.onSilence()
  }
}
