import { household, Meter } from "./meter.ts"

/** What all guests of one address may do together. */
export type GuestRate = {
  readonly connectionsAtOnce: number
  readonly connectionsPerMinute: number
  readonly framesPerMinute: number
  /** How long one connection lasts at most, whatever is said on it. */
  readonly stayMs: number
}

/** Pairing takes a few connections and a frame every two seconds; a household behind one address fits several times. */
export const GUEST_RATE: GuestRate = {
  connectionsAtOnce: 16,
  connectionsPerMinute: 60,
  framesPerMinute: 600,
  // a code lives ten minutes
  stayMs: 15 * 60_000,
}

/** Counts guests by address. */
export class GuestGate {
  readonly #connections: Meter
  readonly #frames: Meter

  constructor({ connectionsAtOnce, connectionsPerMinute, framesPerMinute }: Omit<GuestRate, "stayMs">) {
    this.#connections = new Meter({ atOnce: connectionsAtOnce, perMinute: connectionsPerMinute })
    this.#frames = new Meter({ atOnce: 0, perMinute: framesPerMinute })
  }

  /** True if one more connection may come in; every true needs a `leave` later. */
  enter(address: string, now: number): boolean {
    return this.#connections.enter(household(address), now)
  }

  leave(address: string): void {
    this.#connections.leave(household(address))
  }

  mayPublish(address: string, now: number): boolean {
    return this.#frames.spend(household(address), now)
  }
}
