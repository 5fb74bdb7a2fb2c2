/** Work that must not run beside its own kind: each piece begins when all before it are over, however they ended. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve()

  /** Resolves and rejects as `work` does. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    // whoever asked for it hears of its failure
    this.#last = done.catch(() => undefined)
    return done
  }

  /** Resolves when all that has been asked for by now is over. */
  async idle(): Promise<void> {
    await this.#last
  }
}
