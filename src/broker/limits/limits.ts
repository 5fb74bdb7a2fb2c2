import { DEVICE_RATES, type PacketRates } from "./packet-rates.ts"
import { UnauthenticatedClients } from "../../unauthenticated-clients.ts"
import { type RateLimit, addressBlock, RateLimiter } from "./rate-limiter.ts"

/** What connections may cost, before and after it is known who is at the other end. */
export type Limits = {
  /** Open at once, over all clients. */
  readonly atOnce: number
  /** Guests among them; when there is one more, the oldest guest of the address with the most goes. */
  readonly guestsAtOnce: number
  /** Of one household, before TLS: a handshake costs about a millisecond of processor time. */
  readonly perAddress: RateLimit
  /** Of one device certificate: the place is taken over at each CONNECT, so more than a few are a fault or a flood. */
  readonly perCertificate: RateLimit
  /** A TLS handshake, a WebSocket upgrade or a CONNECT that takes longer is not from a working client. */
  readonly connectTimeoutMs: number
  /** Subscriptions of one device; more are refused by SUBACK. */
  readonly filtersMax: number
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
/** Guests of many addresses leave three quarters of all connections to devices. */
const GUESTS_AT_ONCE = 512

/** Each mailbox of a device is a filter of its own: ten thousand contacts, offers, and a registration answer. */
const FILTERS_MAX = 12_000

/** The limits in use, with so many connections at once from one address. */
export function limitsFor(perAddress: number = PER_ADDRESS): Limits {
  return {
    atOnce: Math.max(AT_ONCE, perAddress),
    guestsAtOnce: GUESTS_AT_ONCE,
    perAddress: {
      atOnce: perAddress,
      perMinute: RECONNECTS_PER_MINUTE * perAddress,
      burst: perAddress,
    },
    perCertificate: { atOnce: 4, perMinute: 60 },
    connectTimeoutMs: 10_000,
    filtersMax: FILTERS_MAX,
    perDevice: DEVICE_RATES,
    // Twenty minutes: who says nothing for half an hour is gone, and some clients never ping by themselves.
    keepalive: { min: 10, max: 1_200 },
  }
}

/** Clients before CONNECT; one of ours is among them for less than a second. */
const UNAUTHENTICATED_MAX = 256

/** One connection that was let in. */
export type ConnectionSlot = {
  /** Its client has shown who it is: it is not ended to make room for another. */
  readonly accept: () => void
  /** It is over. */
  readonly release: () => void
}

/** Counts connections before TLS. A client that says nothing makes room for the next one. */
export class ConnectionLimiter {
  readonly #atOnce: number
  readonly #addresses: RateLimiter
  readonly #unauthenticated = new UnauthenticatedClients(UNAUTHENTICATED_MAX)
  #open = 0
  #turnedAway = 0

  constructor({ atOnce, perAddress }: Limits) {
    this.#atOnce = atOnce
    this.#addresses = new RateLimiter(perAddress)
  }

  /** The number that were not let in so far, or had to make room. */
  get turnedAway(): number {
    return this.#turnedAway
  }

  /** Undefined if no more connection may come in. `end` is called if this one has to make room. */
  acquire(address: string, now: number, end: () => void): ConnectionSlot | undefined {
    const block = addressBlock(address)
    if (this.#addresses.isFull(block, now)) this.#unauthenticated.endOldest(block)
    else if (this.#open >= this.#atOnce) this.#unauthenticated.endOldest()
    if (this.#open >= this.#atOnce || !this.#addresses.acquire(block, now)) {
      this.#turnedAway += 1
      return undefined
    }
    return this.#admit(block, end)
  }

  #admit(block: string, end: () => void): ConnectionSlot {
    this.#open += 1
    let isOpen = true
    const release = (): void => {
      if (!isOpen) return
      isOpen = false
      accept()
      this.#open -= 1
      this.#addresses.release(block)
    }
    const accept = this.#unauthenticated.add(block, () => {
      this.#turnedAway += 1
      release()
      end()
    })
    return { accept, release }
  }
}
