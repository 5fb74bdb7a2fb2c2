import { deferred } from "../../async/deferred.ts"

/** Why a command ends: a signal, or it is done. */
export type Ending = NodeJS.Signals | "done"

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const

/** What a command has opened, and the one way to end it early. */
export class Lifetime {
  /** Resolves at the first signal, or when `end` is called; never rejects. */
  readonly ended: Promise<Ending>
  readonly end: (ending: Ending) => void
  readonly #closers: (() => void | Promise<void>)[] = []

  constructor() {
    const { promise, resolve } = deferred<Ending>()
    this.ended = promise
    this.end = resolve
  }

  /** `close` runs when the command ends for any reason; the last opened is closed first. */
  defer(close: () => void | Promise<void>): void {
    this.#closers.push(close)
  }

  /** Closes everything, also after one has failed; the first failure is thrown at the end. */
  async close(): Promise<void> {
    const failures: unknown[] = []
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) {
      await Promise.resolve()
        .then(close)
        .catch((failure: unknown) => failures.push(failure))
    }
    if (failures.length > 0) throw failures[0]
  }

  /** The first signal ends the command in order, a second one at once; a closing terminal sends SIGHUP twice. */
  handleSignals(): void {
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        this.end(signal)
        if (signal !== "SIGHUP") process.once(signal, () => exitBySignal(signal))
      })
    }
  }
}

/** Ends this process as if it had never handled the signal, so that a calling shell knows. */
export function exitBySignal(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}
