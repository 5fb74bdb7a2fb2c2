import { type Bucket, type Rate, refilled, takeToken } from "../../token-bucket.ts"
import { MINUTE_MS } from "../../time-units.ts"

/** What one of many may do: so much at once, and so much within a minute, of which `burst` may come together. */
export type RateLimit = { readonly atOnce: number; readonly perMinute: number; readonly burst?: number }

/**
 * Names remembered. One more takes the place of the one that was quiet for longest: a stranger with a /48 of IPv6 addresses
 * has 65,536 names, and would keep everyone out who is not known yet if new ones were refused.
 */
const NAMES_MAX = 10_000

type Entry = { open: number; bucket: Bucket }

/** Counts by name. A budget is full at first and comes back evenly. */
export class RateLimiter {
  readonly #atOnce: number
  readonly #rate: Rate
  readonly #entries = new Map<string, Entry>()

  constructor({ atOnce, perMinute, burst = perMinute }: RateLimit) {
    this.#atOnce = atOnce
    this.#rate = { capacity: burst, refillMs: (MINUTE_MS * burst) / perMinute }
  }

  /** True if one more may begin; every true needs a `release` later. */
  acquire(name: string, now: number): boolean {
    const entry = this.#entry(name, now)
    if (entry === undefined || entry.open >= this.#atOnce || !this.#take(entry, now)) return false
    entry.open += 1
    return true
  }

  /** True if one more would begin if another one of this name ended. */
  isFull(name: string, now: number): boolean {
    const entry = this.#entry(name, now)
    return (
      entry !== undefined && entry.open >= this.#atOnce && refilled(this.#rate, entry.bucket, now).tokens >= 1
    )
  }

  release(name: string): void {
    const entry = this.#entries.get(name)
    if (entry !== undefined) entry.open -= 1
  }

  /** True if this much of the budget was left. */
  consume(name: string, now: number): boolean {
    const entry = this.#entry(name, now)
    return entry !== undefined && this.#take(entry, now)
  }

  #take(entry: Entry, now: number): boolean {
    const { allowed, bucket } = takeToken(this.#rate, entry.bucket, now)
    entry.bucket = bucket
    return allowed
  }

  /** In the order of their last use. */
  #entry(name: string, now: number): Entry | undefined {
    const known = this.#entries.get(name)
    if (known === undefined && this.#entries.size >= NAMES_MAX && !this.#forgetQuietest()) return undefined
    const entry = known ?? { open: 0, bucket: { tokens: this.#rate.capacity, at: now } }
    this.#entries.delete(name)
    this.#entries.set(name, entry)
    return entry
  }

  /** False if something is open of every name. */
  #forgetQuietest(): boolean {
    for (const [name, { open }] of this.#entries) if (open === 0) return this.#entries.delete(name)
    return false
  }
}

/** What one household has: an IPv4 address, or the first 64 bits of an IPv6 address. */
export function addressBlock(address: string): string {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (v4 !== undefined) return v4
  if (!address.includes(":")) return address
  const [head = "", tail] = address.split("::")
  const front = head === "" ? [] : head.split(":")
  const back = tail === undefined || tail === "" ? [] : tail.split(":")
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - front.length - back.length)).fill("0")
  return [...front, ...zeros, ...back].slice(0, 4).join(":")
}
