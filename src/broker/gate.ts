/** What all guests of one address may do together. */
export type GuestRate = {
  readonly connectionsAtOnce: number
  readonly connectionsPerMinute: number
  readonly framesPerMinute: number
}

/** Pairing takes a few connections and a frame every two seconds; a household behind one address fits several times. */
export const GUEST_RATE: GuestRate = { connectionsAtOnce: 16, connectionsPerMinute: 60, framesPerMinute: 600 }

/** Addresses remembered; beyond that those that have been quiet for a minute are forgotten. */
const ADDRESSES_MAX = 10_000
const MINUTE = 60_000

type Visitor = { open: number; connections: number; frames: number; refilled: number }

/** Counts guests by address. A budget is full at first and comes back evenly over a minute. */
export class GuestGate {
  readonly #rate: GuestRate
  readonly #visitors = new Map<string, Visitor>()

  constructor(rate: GuestRate) {
    this.#rate = rate
  }

  /** True if one more connection may come in; every true needs a `leave` later. */
  enter(address: string, now: number): boolean {
    const visitor = this.#refill(address, now)
    if (visitor.connections < 1 || visitor.open >= this.#rate.connectionsAtOnce) return false
    visitor.connections -= 1
    visitor.open += 1
    return true
  }

  leave(address: string): void {
    const visitor = this.#visitors.get(group(address))
    if (visitor !== undefined) visitor.open -= 1
  }

  mayPublish(address: string, now: number): boolean {
    const visitor = this.#refill(address, now)
    if (visitor.frames < 1) return false
    visitor.frames -= 1
    return true
  }

  #refill(address: string, now: number): Visitor {
    const key = group(address)
    const visitor = this.#visitors.get(key) ?? this.#meet(key, now)
    const share = Math.max(0, now - visitor.refilled) / MINUTE
    const { connectionsPerMinute, framesPerMinute } = this.#rate
    visitor.connections = Math.min(connectionsPerMinute, visitor.connections + share * connectionsPerMinute)
    visitor.frames = Math.min(framesPerMinute, visitor.frames + share * framesPerMinute)
    visitor.refilled = now
    return visitor
  }

  #meet(key: string, now: number): Visitor {
    if (this.#visitors.size >= ADDRESSES_MAX) this.#forgetQuiet(now)
    const { connectionsPerMinute: connections, framesPerMinute: frames } = this.#rate
    const visitor = { open: 0, connections, frames, refilled: now }
    this.#visitors.set(key, visitor)
    return visitor
  }

  #forgetQuiet(now: number): void {
    for (const [key, visitor] of this.#visitors) {
      if (visitor.open === 0 && now - visitor.refilled >= MINUTE) this.#visitors.delete(key)
    }
  }
}

/** One household: an IPv4 address, or the first 64 bits of an IPv6 address. */
function group(address: string): string {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (v4 !== undefined) return v4
  if (!address.includes(":")) return address
  const [head = "", tail] = address.split("::")
  const front = head === "" ? [] : head.split(":")
  const back = tail === undefined || tail === "" ? [] : tail.split(":")
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - front.length - back.length)).fill("0")
  return [...front, ...zeros, ...back].slice(0, 4).join(":")
}
