/** Tasks that must not overlap: each starts after all earlier ones have ended, with or without an error. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve()

  /** Resolves and rejects as `work` does. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    // the caller of `run` gets the failure
    this.#last = done.catch(() => undefined)
    return done
  }

  /** Resolves when all tasks queued so far have ended. */
  async idle(): Promise<void> {
    await this.#last
  }
}
