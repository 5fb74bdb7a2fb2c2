/** Tasks that must not overlap: each starts after all earlier ones have ended, with or without an error. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve()
  #running = 0

  /** Whether a task has not ended yet. */
  get isBusy(): boolean {
    return this.#running > 0
  }

  /** Resolves and rejects as `work` does. */
  run<T>(work: () => Promise<T>): Promise<T> {
    this.#running++
    const done = this.#last.then(work).finally(() => this.#running--)
    // the caller of `run` gets the failure
    this.#last = done.catch(() => undefined)
    return done
  }

  /** Resolves when all tasks queued so far have ended. */
  async idle(): Promise<void> {
    await this.#last
  }
}
