import { DAY_MS, MINUTE_MS } from "../../src/time-units.ts"
import type { MachineClocks } from "../../src/engine/state/ports.ts"

type Timer = { at: number; readonly run: () => void }

/** How soon after a suspension a timer runs that ended meanwhile (src/cli/profile/machine-clocks.ts). */
const AWAKE_MS = 15_000

/**
 * Time passes only when the test advances it. Timers run by the time that the machine was awake; its uptime counts also while
 * it is suspended; its clock can be set.
 */
export class Clock {
  #passed = 0
  #suspended = 0
  #booted = 0
  #wall = 1_800_000_000_000
  #boots = 1
  #off = 0
  readonly #timers = new Set<Timer>()

  /** What its clock shows, unix ms. */
  readonly now = (): number => this.#wall + this.#passed
  readonly uptime = (): number => this.#passed + this.#suspended - this.#booted

  /** How long ago the test began, which no machine of it knows. */
  get trueTime(): number {
    return this.#passed + this.#suspended + this.#off
  }

  get boot(): string {
    return `boot ${this.#boots}`
  }

  /** Of this moment. */
  get clocks(): MachineClocks {
    return { wallClock: this.now, uptime: this.uptime, boot: this.boot }
  }

  after = (ms: number, run: () => void): (() => void) => {
    const timer = { at: this.#passed + ms, run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Someone sets the clock, by so many ms in either direction. */
  jump(ms: number): void {
    this.#wall += ms
  }

  /** The machine is suspended for so many ms. */
  suspend(ms: number): void {
    this.#wall += ms
    this.#suspended += ms
    for (const timer of this.#timers)
      timer.at = Math.max(timer.at - ms, Math.min(timer.at, this.#passed + AWAKE_MS))
  }

  /** Days on which the machine is awake for a minute. */
  async passDays(days: number): Promise<void> {
    for (let day = 0; day < days; day++) {
      await this.pass(MINUTE_MS)
      this.suspend(DAY_MS - MINUTE_MS)
    }
  }

  /** The machine is off for so many ms, and its clock runs on. Its processes have ended. */
  reboot(offMs: number): void {
    this.#wall += offMs
    this.#off += offMs
    this.#booted = this.#passed + this.#suspended
    this.#boots++
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
