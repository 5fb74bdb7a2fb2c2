import { MINUTE_MS } from "../time-units.ts"
import { retryDelay } from "./backoff.ts"

/**
 * What was refused may pass within seconds, as a portal of a public network does, or take until an operator acts. A refused
 * device asks its registrar for the reason each time: not more than every few minutes for long.
 */
const PAUSES = { first: 1_000, longest: 5 * MINUTE_MS } as const
const BYTE_VALUES = 256

/** The pauses between tries of what was refused or did not answer: each about twice the last [D-170]. */
export class RetryPauses {
  readonly #random: (length: number) => Uint8Array
  #taken = 0

  constructor(random: (length: number) => Uint8Array) {
    this.#random = random
  }

  next(): number {
    const [byte = 0] = this.#random(1)
    this.#taken += 1
    return retryDelay(this.#taken, byte / BYTE_VALUES, PAUSES)
  }

  /** The connection is up. */
  reset(): void {
    this.#taken = 0
  }
}
