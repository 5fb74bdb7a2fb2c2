/** What one of many may do: so much at once, and so much within a minute. */
export type RateLimit = { readonly atOnce: number; readonly perMinute: number }

/** Names remembered; beyond that, names quiet for a minute are forgotten and new ones refused. */
const NAMES_MAX = 10_000
const MINUTE = 60_000

type Bucket = { open: number; tokens: number; refilledAt: number }

/** Counts by name. A budget is full at first and comes back evenly over a minute. */
export class RateLimiter {
  readonly #limit: RateLimit
  readonly #buckets = new Map<string, Bucket>()

  constructor(limit: RateLimit) {
    this.#limit = limit
  }

  /** True if one more may begin; every true needs a `leave` later. */
  acquire(name: string, now: number): boolean {
    const bucket = this.#refill(name, now)
    if (bucket === undefined || bucket.tokens < 1 || bucket.open >= this.#limit.atOnce) return false
    bucket.tokens -= 1
    bucket.open += 1
    return true
  }

  release(name: string): void {
    const bucket = this.#buckets.get(name)
    if (bucket !== undefined) bucket.open -= 1
  }

  /** True if this much of the budget was left. */
  consume(name: string, now: number): boolean {
    const bucket = this.#refill(name, now)
    if (bucket === undefined || bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  #refill(name: string, now: number): Bucket | undefined {
    const bucket = this.#buckets.get(name) ?? this.#addBucket(name, now)
    if (bucket === undefined) return undefined
    const { perMinute } = this.#limit
    const share = Math.max(0, now - bucket.refilledAt) / MINUTE
    bucket.tokens = Math.min(perMinute, bucket.tokens + share * perMinute)
    bucket.refilledAt = now
    return bucket
  }

  #addBucket(name: string, now: number): Bucket | undefined {
    if (this.#buckets.size >= NAMES_MAX) this.#evictIdle(now)
    if (this.#buckets.size >= NAMES_MAX) return undefined
    const bucket = { open: 0, tokens: this.#limit.perMinute, refilledAt: now }
    this.#buckets.set(name, bucket)
    return bucket
  }

  #evictIdle(now: number): void {
    for (const [name, bucket] of this.#buckets) {
      if (bucket.open === 0 && now - bucket.refilledAt >= MINUTE) this.#buckets.delete(name)
    }
  }
}

/** One household: an IPv4 address, or the first 64 bits of an IPv6 address. */
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
