/** What one of many may do: so much at once, and so much within a minute. */
export type Bounds = { readonly atOnce: number; readonly perMinute: number }

/** Names remembered; beyond that those that have been quiet for a minute are forgotten, and nobody new comes in. */
const NAMES_MAX = 10_000
const MINUTE = 60_000

type Entry = { open: number; budget: number; refilled: number }

/** Counts by name. A budget is full at first and comes back evenly over a minute. */
export class Meter {
  readonly #bounds: Bounds
  readonly #entries = new Map<string, Entry>()

  constructor(bounds: Bounds) {
    this.#bounds = bounds
  }

  /** True if one more may begin; every true needs a `leave` later. */
  enter(name: string, now: number): boolean {
    const entry = this.#refill(name, now)
    if (entry === undefined || entry.budget < 1 || entry.open >= this.#bounds.atOnce) return false
    entry.budget -= 1
    entry.open += 1
    return true
  }

  leave(name: string): void {
    const entry = this.#entries.get(name)
    if (entry !== undefined) entry.open -= 1
  }

  /** True if this much of the budget was left. */
  spend(name: string, now: number): boolean {
    const entry = this.#refill(name, now)
    if (entry === undefined || entry.budget < 1) return false
    entry.budget -= 1
    return true
  }

  #refill(name: string, now: number): Entry | undefined {
    const entry = this.#entries.get(name) ?? this.#meet(name, now)
    if (entry === undefined) return undefined
    const { perMinute } = this.#bounds
    const share = Math.max(0, now - entry.refilled) / MINUTE
    entry.budget = Math.min(perMinute, entry.budget + share * perMinute)
    entry.refilled = now
    return entry
  }

  #meet(name: string, now: number): Entry | undefined {
    if (this.#entries.size >= NAMES_MAX) this.#forgetQuiet(now)
    if (this.#entries.size >= NAMES_MAX) return undefined
    const entry = { open: 0, budget: this.#bounds.perMinute, refilled: now }
    this.#entries.set(name, entry)
    return entry
  }

  #forgetQuiet(now: number): void {
    for (const [name, entry] of this.#entries) {
      if (entry.open === 0 && now - entry.refilled >= MINUTE) this.#entries.delete(name)
    }
  }
}

/** One household: an IPv4 address, or the first 64 bits of an IPv6 address. */
export function household(address: string): string {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (v4 !== undefined) return v4
  if (!address.includes(":")) return address
  const [head = "", tail] = address.split("::")
  const front = head === "" ? [] : head.split(":")
  const back = tail === undefined || tail === "" ? [] : tail.split(":")
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - front.length - back.length)).fill("0")
  return [...front, ...zeros, ...back].slice(0, 4).join(":")
}
