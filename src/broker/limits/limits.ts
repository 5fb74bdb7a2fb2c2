import { DEVICE_RATES, type PacketRates } from "./packet-rates.ts"
import { type RateLimit, addressBlock, RateLimiter } from "./rate-limiter.ts"

/** What connections may cost, before and after it is known who is at the other end. */
export type Limits = {
  /** Open at once, over all clients. */
  readonly atOnce: number
  /** Of one household, before TLS: a handshake costs about a millisecond of processor time. */
  readonly perAddress: RateLimit
  /** Of one device certificate: the place is taken over at each CONNECT, so more than a few are a fault or a flood. */
  readonly perCertificate: RateLimit
  /** A TLS handshake, a WebSocket upgrade or a CONNECT that takes longer is not from a working client. */
  readonly connectTimeoutMs: number
  /** Of one device certificate, over all its connections. */
  readonly perDevice: PacketRates
  /** Seconds. A client that asks for another keepalive is held to the nearest of these. */
  readonly keepalive: { readonly min: number; readonly max: number }
}

/** An office behind one address fits, and comes back at once when the broker was restarted. */
const PER_ADDRESS = 64
/** On a bad network each client reconnects a few times a minute. */
const RECONNECTS_PER_MINUTE = 4
const AT_ONCE = 2_000

/** The limits in use, with so many connections at once from one address. */
export function limitsFor(perAddress: number = PER_ADDRESS): Limits {
  return {
    atOnce: Math.max(AT_ONCE, perAddress),
    perAddress: { atOnce: perAddress, perMinute: RECONNECTS_PER_MINUTE * perAddress },
    perCertificate: { atOnce: 4, perMinute: 60 },
    connectTimeoutMs: 10_000,
    perDevice: DEVICE_RATES,
    // Twenty minutes: who says nothing for half an hour is gone, and some clients never ping by themselves.
    keepalive: { min: 10, max: 1_200 },
  }
}

/** Counts connections before TLS. */
export class ConnectionLimiter {
  readonly #atOnce: number
  readonly #addresses: RateLimiter
  #open = 0
  #turnedAway = 0

  constructor({ atOnce, perAddress }: Limits) {
    this.#atOnce = atOnce
    this.#addresses = new RateLimiter(perAddress)
  }

  /** The number that were not let in so far. */
  get turnedAway(): number {
    return this.#turnedAway
  }

  /** True if one more connection may come in; every true needs a `leave` later. */
  acquire(address: string, now: number): boolean {
    const may = this.#open < this.#atOnce && this.#addresses.acquire(addressBlock(address), now)
    if (may) this.#open += 1
    else this.#turnedAway += 1
    return may
  }

  release(address: string): void {
    this.#open -= 1
    this.#addresses.release(addressBlock(address))
  }
}
