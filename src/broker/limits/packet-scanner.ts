/**
 * Kinds of packets that cost differently. `other` is what MQTT 3.1.1 has for QoS 2 and for the connection itself,
 * `frame` a message or ping of WebSocket, whatever MQTT is in it.
 */
export type PacketKind = "publish" | "puback" | "subscribe" | "unsubscribe" | "pingreq" | "other" | "frame"

/** What the packets of one connection may cost. */
export type PacketBudget = {
  /** Of one packet after CONNECT. */
  readonly packetMaxBytes: number
  /** In one SUBSCRIBE or UNSUBSCRIBE. */
  readonly filtersMax: number
  /** Called before each packet: milliseconds until it may be read, 0 for now, undefined to end the connection. */
  readonly begin: (kind: PacketKind) => number | undefined
  /** For each filter, and for the bytes of a long payload; false ends the connection. */
  readonly spend: (kind: PacketKind, units: number) => boolean
}

/** Client id and protocol name are all that a CONNECT of ours carries; an account's name and password fit too. */
export const CONNECT_MAX_BYTES = 4_096
/** A payload costs one more for each of these. */
const UNIT_BYTES = 4_096

/** MQTT 3.1.1, table 2.1. */
const CONNECT = 1
const KINDS: Readonly<Record<number, PacketKind>> = {
  3: "publish",
  4: "puback",
  8: "subscribe",
  10: "unsubscribe",
  12: "pingreq",
}
/** Section 2.2.3: at most four bytes of length. */
const LENGTH_MAX_BYTES = 4
/** In front of the filters (sections 3.8.2 and 3.10.2). */
const PACKET_ID_BYTES = 2

/** How much of a chunk may be read now. `wait`: the rest after so many milliseconds. `refuse`: end the connection. */
export type Scan =
  | { readonly kind: "admit" }
  | { readonly kind: "wait"; readonly bytes: number; readonly ms: number }
  | { readonly kind: "refuse" }

const ADMIT: Scan = { kind: "admit" }
const REFUSE: Scan = { kind: "refuse" }

/** Follows packets and filters in a stream of bytes, and stores none of them: a parser would store them all. */
export class PacketScanner {
  readonly #budget: PacketBudget
  #expects: "type" | "length" | "body" = "type"
  #kind: PacketKind = "other"
  #lengthBytes = 0
  #remaining = 0
  #limit = CONNECT_MAX_BYTES
  #connected = false
  readonly #filters = new FilterCounter()

  constructor(budget: PacketBudget) {
    this.#budget = budget
  }

  /** At most `packetsMax` packets begin in what is admitted; then the rest waits for a turn. Nothing follows `refuse`. */
  scan(chunk: Uint8Array, packetsMax: number): Scan {
    let packets = 0
    let offset = 0
    while (offset < chunk.length) {
      const byte = chunk[offset] ?? 0
      if (this.#expects === "body") {
        const taken = Math.min(this.#remaining, chunk.length - offset)
        if (!this.#body(chunk.subarray(offset, offset + taken))) return REFUSE
        offset += taken
      } else if (this.#expects === "length") {
        if (!this.#length(byte)) return REFUSE
        offset += 1
      } else {
        if (packets++ === packetsMax) return { kind: "wait", bytes: offset, ms: 0 }
        const ms = this.#begin(byte)
        if (ms === undefined) return REFUSE
        if (ms > 0) return { kind: "wait", bytes: offset, ms }
        offset += 1
      }
    }
    return ADMIT
  }

  /** As the budget's `begin`; a packet that has to wait is not begun. */
  #begin(byte: number): number | undefined {
    const type = byte >> 4
    if (!this.#connected && type !== CONNECT) return undefined
    const kind = KINDS[type] ?? "other"
    const ms = this.#budget.begin(kind)
    if (ms !== 0) return ms
    this.#kind = kind
    this.#limit = this.#connected ? this.#budget.packetMaxBytes : CONNECT_MAX_BYTES
    this.#connected = true
    this.#expects = "length"
    this.#lengthBytes = 0
    this.#remaining = 0
    return 0
  }

  #length(byte: number): boolean {
    this.#remaining += (byte & 127) * 128 ** this.#lengthBytes++
    if (byte > 127) return this.#lengthBytes < LENGTH_MAX_BYTES
    this.#expects = this.#remaining === 0 ? "type" : "body"
    if (this.#remaining > this.#limit) return false
    this.#filters.restart(this.#kind)
    const units = this.#kind === "publish" ? Math.floor(this.#remaining / UNIT_BYTES) : 0
    return units === 0 || this.#budget.spend(this.#kind, units)
  }

  #body(part: Uint8Array): boolean {
    this.#remaining -= part.length
    if (this.#remaining === 0) this.#expects = "type"
    if (this.#kind !== "subscribe" && this.#kind !== "unsubscribe") return true
    const filters = this.#filters.count(part)
    if (this.#filters.total > this.#budget.filtersMax) return false
    return filters === 0 || this.#budget.spend(this.#kind, filters)
  }
}

/** Counts the filters in the body of a SUBSCRIBE or an UNSUBSCRIBE, in whatever pieces it comes. */
class FilterCounter {
  total = 0
  /** After each filter: its QoS, in SUBSCRIBE. */
  #after = 0
  #skip = 0
  #high: number | undefined

  restart(kind: PacketKind): void {
    this.total = 0
    this.#after = kind === "subscribe" ? 1 : 0
    this.#skip = PACKET_ID_BYTES
    this.#high = undefined
  }

  /** Those that begin in this part. */
  count(part: Uint8Array): number {
    const before = this.total
    let offset = 0
    while (offset < part.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, part.length - offset)
        this.#skip -= skipped
        offset += skipped
      } else this.#lengthByte(part[offset++] ?? 0)
    }
    return this.total - before
  }

  #lengthByte(byte: number): void {
    if (this.#high === undefined) {
      this.#high = byte
      return
    }
    this.#skip = this.#high * 256 + byte + this.#after
    this.#high = undefined
    this.total += 1
  }
}
