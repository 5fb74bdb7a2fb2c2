type Timer = { readonly at: number; readonly run: () => void }

/** Time that passes only when the story says so. */
export class Clock {
  #now = 1_800_000_000_000
  readonly #timers = new Set<Timer>()

  now = (): number => this.#now

  after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.#now + ms, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Runs what is due in the next `ms`, in order, and lets each do its work before the next. */
  async pass(ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      await quiet()
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#now = Math.max(this.#now, due.at)
      due.run()
    }
    this.#now = until
    await quiet()
  }
}

/** The engine, the store and the post office work in promises alone: after so many turns they have come to rest. */
const TURNS = 40

async function quiet(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
}
