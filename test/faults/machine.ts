import type { Ports } from "../../src/engine/state/ports.ts"
import type { Clock } from "../engine/clock.ts"

const START = 1_800_000_000_000

/** One person's machine: time passes for all alike, but each has a clock that can be set, and boots of its own. */
export class Machine {
  /** By how much its clock is wrong, in ms. */
  wrongBy = 0
  readonly ports: Partial<Ports>
  readonly #clock: Clock
  #bootedAt = 0
  #boots = 1

  constructor(clock: Clock, owner: string) {
    this.#clock = clock
    const boot = (): string => `boot ${this.#boots} of ${owner}`
    this.ports = {
      wallClock: () => START + clock.trueTime + this.wrongBy,
      uptime: () => clock.trueTime - this.#bootedAt,
      get boot() {
        return boot()
      },
    }
  }

  /** Its processes have ended. */
  boot(): void {
    this.#bootedAt = this.#clock.trueTime
    this.#boots++
  }
}
