type Timer = { readonly at: number; readonly run: () => void }

/** Time passes only when the test advances it. Timers run by elapsed time; `now` can be set separately. */
export class Clock {
  #passed = 0
  #shown = 1_800_000_000_000
  readonly #timers = new Set<Timer>()

  now = (): number => this.#shown + this.#passed

  after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.#passed + ms, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Sets the clock, by so many ms in either direction. */
  jump(ms: number): void {
    this.#shown += ms
  }

  /** Runs what is due in the next `ms`, in order, and lets each do its work before the next. */
  async pass(ms: number): Promise<void> {
    const until = this.#passed + ms
    for (;;) {
      await quiet()
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#passed = Math.max(this.#passed, due.at)
      due.run()
    }
    this.#passed = until
    await quiet()
  }
}

/** The engine, the store and the fake broker need a turn for each commit: after so many turns they are idle. */
const TURNS = 120

async function quiet(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
}
