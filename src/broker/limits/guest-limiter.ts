import { addressBlock, RateLimiter } from "./rate-limiter.ts"
import { MINUTE_MS } from "../../time-units.ts"

/** What all guests of one address may do together. */
export type GuestLimits = {
  readonly connectionsAtOnce: number
  readonly connectionsPerMinute: number
  readonly framesPerMinute: number
  /** The longest life of one connection, active or not. */
  readonly connectionMaxMs: number
}

/** Pairing takes a few connections and a frame every two seconds; a household behind one address fits several times. */
export const GUEST_LIMITS: GuestLimits = {
  connectionsAtOnce: 16,
  connectionsPerMinute: 60,
  framesPerMinute: 600,
  // a code lives ten minutes
  connectionMaxMs: 15 * MINUTE_MS,
}

/** Counts guests by address. */
export class GuestLimiter {
  readonly #connections: RateLimiter
  readonly #frames: RateLimiter

  constructor({
    connectionsAtOnce,
    connectionsPerMinute,
    framesPerMinute,
  }: Omit<GuestLimits, "connectionMaxMs">) {
    this.#connections = new RateLimiter({ atOnce: connectionsAtOnce, perMinute: connectionsPerMinute })
    this.#frames = new RateLimiter({ atOnce: 0, perMinute: framesPerMinute })
  }

  /** True if one more connection may come in; every true needs a `leave` later. */
  acquire(address: string, now: number): boolean {
    return this.#connections.acquire(addressBlock(address), now)
  }

  release(address: string): void {
    this.#connections.release(addressBlock(address))
  }

  mayPublish(address: string, now: number): boolean {
    return this.#frames.consume(addressBlock(address), now)
  }
}
