import { type Bucket, type Rate, refilled, untilToken } from "../../token-bucket.ts"
import { MINUTE_MS } from "../../time-units.ts"
import { PACKET_MAX_BYTES } from "./packet-size-guard.ts"
import type { PacketBudget, PacketKind } from "./packet-scanner.ts"

/** By kind of packet; a filter counts as a packet. */
export type PacketRates = Readonly<Record<PacketKind, Rate>>

/** 2,000 a second, more than a client of ours writes down: a full queue is read in five seconds. */
const MESSAGES: Rate = { capacity: 4_000, refillMs: 2_000 }
/** A device with ten thousand contacts names their mailboxes at each connection. */
const FILTERS: Rate = { capacity: 20_000, refillMs: 20_000 }
/** One a second is more than the shortest keepalive asks for. */
const ANSWERS: Rate = { capacity: 60, refillMs: MINUTE_MS }
/** Two for each message and its acknowledgement. */
const FRAMES: Rate = { capacity: 4 * MESSAGES.capacity, refillMs: MESSAGES.refillMs }

/** What one device may send, over all its connections; beyond that it is read more slowly. */
export const DEVICE_RATES: PacketRates = {
  publish: MESSAGES,
  puback: MESSAGES,
  subscribe: FILTERS,
  unsubscribe: FILTERS,
  pingreq: ANSWERS,
  // CONNECT is counted by certificate, and QoS 2 is not offered: nothing of this is sent twice.
  other: ANSWERS,
  frame: FRAMES,
}

/** A packet of the largest size is full of our own topics with fewer. */
const FILTERS_PER_PACKET = 1_300
/** Devices remembered; beyond that, those that have been quiet for a minute are forgotten first. */
const NAMES_MAX = 10_000

type Entry = Map<PacketKind, Bucket>

/** Counts the packets of devices. A device is never ended for too many: it waits. */
export class DeviceBudgets {
  readonly #rates: PacketRates
  readonly #entries = new Map<string, Entry>()
  readonly #now: () => number

  constructor(rates: PacketRates, now: () => number) {
    this.#rates = rates
    this.#now = now
  }

  of(device: string): PacketBudget {
    const entry = this.#entry(device)
    return {
      packetMaxBytes: PACKET_MAX_BYTES,
      filtersMax: FILTERS_PER_PACKET,
      begin: (kind) => {
        const bucket = refilled(this.#rates[kind], entry.get(kind), this.#now())
        const ms = untilToken(this.#rates[kind], bucket)
        entry.set(kind, ms === 0 ? { ...bucket, tokens: bucket.tokens - 1 } : bucket)
        return ms
      },
      spend: (kind, units) => {
        const bucket = refilled(this.#rates[kind], entry.get(kind), this.#now())
        entry.set(kind, { ...bucket, tokens: bucket.tokens - units })
        return true
      },
    }
  }

  #entry(device: string): Entry {
    const entry = this.#entries.get(device) ?? new Map<PacketKind, Bucket>()
    if (this.#entries.size >= NAMES_MAX) this.#forgetQuiet()
    this.#entries.set(device, entry)
    return entry
  }

  #forgetQuiet(): void {
    const now = this.#now()
    for (const [device, entry] of this.#entries) {
      const isQuiet = [...entry.values()].every(({ at }) => now - at >= MINUTE_MS)
      if (isQuiet) this.#entries.delete(device)
    }
  }
}

/** The registrar's own connection, and our own process at its other end. */
export const UNLIMITED: PacketBudget = {
  packetMaxBytes: PACKET_MAX_BYTES,
  filtersMax: FILTERS_PER_PACKET,
  begin: () => 0,
  spend: () => true,
}
