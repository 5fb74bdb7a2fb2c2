import { MINUTE_MS } from "../../time-units.ts"
import type { PacketBudget } from "./packet-scanner.ts"
import { addressBlock, RateLimiter, type RateLimit } from "./rate-limiter.ts"

/** What all guests of one address may do together. */
export type GuestLimits = {
  readonly connectionsAtOnce: number
  readonly connectionsPerMinute: number
  /** Of those in a minute, as many may come together; all, without. */
  readonly connectionsBurst?: number
  readonly framesPerMinute: number
  /** Packets of every kind, and filters. */
  readonly packets?: Omit<RateLimit, "atOnce">
  /** The longest life of one connection, active or not. */
  readonly connectionMaxMs: number
}

/** Pairing takes a few connections and a frame every two seconds; a household behind one address fits several times. */
export const GUEST_LIMITS: GuestLimits = {
  connectionsAtOnce: 16,
  connectionsPerMinute: 60,
  connectionsBurst: 16,
  framesPerMinute: 600,
  // a code lives ten minutes
  connectionMaxMs: 15 * MINUTE_MS,
}

/** Sixteen guests begin at once with six packets each; then each of them has one a second. */
const GUEST_PACKETS = { burst: 128, perMinute: 960 }
/** The largest frame of pairing or registration is half as long. */
const GUEST_PACKET_MAX_BYTES = 8 * 1024
/** A guest may subscribe to a nameplate and to the answers of one registration. */
const GUEST_FILTERS_MAX = 8

/** Counts guests by address. */
export class GuestLimiter {
  readonly #connections: RateLimiter
  readonly #frames: RateLimiter
  readonly #packets: RateLimiter

  constructor({
    connectionsAtOnce,
    connectionsPerMinute,
    connectionsBurst = connectionsPerMinute,
    framesPerMinute,
    packets = GUEST_PACKETS,
  }: Omit<GuestLimits, "connectionMaxMs">) {
    this.#connections = new RateLimiter({
      atOnce: connectionsAtOnce,
      perMinute: connectionsPerMinute,
      burst: connectionsBurst,
    })
    this.#frames = new RateLimiter({ atOnce: 0, perMinute: framesPerMinute })
    this.#packets = new RateLimiter({ atOnce: 0, ...packets })
  }

  /** True if one more connection may come in; every true needs a `release` later. */
  acquire(address: string, now: number): boolean {
    return this.#connections.acquire(addressBlock(address), now)
  }

  release(address: string): void {
    this.#connections.release(addressBlock(address))
  }

  mayPublish(address: string, now: number): boolean {
    return this.#frames.consume(addressBlock(address), now)
  }

  /** What a guest of this address may send; its connection ends at the first packet or filter too many. */
  budgetOf(address: string, now: () => number): PacketBudget {
    const block = addressBlock(address)
    const consume = (): boolean => this.#packets.consume(block, now())
    return {
      packetMaxBytes: GUEST_PACKET_MAX_BYTES,
      filtersMax: GUEST_FILTERS_MAX,
      begin: () => (consume() ? 0 : undefined),
      spend: (_kind, units) => {
        for (let unit = 0; unit < units; unit++) if (!consume()) return false
        return true
      },
    }
  }
}
