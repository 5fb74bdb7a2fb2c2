import { parseTopic } from "../../wire/topics.ts"
import { type RateLimit, RateLimiter } from "./rate-limiter.ts"

/**
 * A member shows one code and types another. With twenty nameplates a minute it finds a given one of 9,999 in the ten
 * minutes of a code once in fifty times; someone who lets many people in needs a few a minute.
 */
export const NAMEPLATE_LIMIT: RateLimit = { atOnce: 2, perMinute: 20 }

/** How many connections of a member hold a nameplate: a new one may come before the old one is gone. */
type Holders = Map<number, number>

/** Counts nameplates by member: a guest has one for its whole connection, and needs no counting. */
export class NameplateLimiter {
  readonly #atOnce: number
  readonly #rate: RateLimiter
  readonly #held = new Map<string, Holders>()

  constructor({ atOnce, perMinute }: RateLimit = NAMEPLATE_LIMIT) {
    this.#atOnce = atOnce
    this.#rate = new RateLimiter({ atOnce: 0, perMinute })
  }

  /** The nameplates of one connection; `close` it with the connection. */
  open(member: string): HeldNameplates {
    return new HeldNameplates(
      this.#atOnce,
      (nameplate, now) => this.#acquire(member, nameplate, now),
      (nameplate) => this.#release(member, nameplate),
    )
  }

  #acquire(member: string, nameplate: number, now: number): boolean {
    const held = this.#held.get(member) ?? new Map<number, number>()
    const isNew = !held.has(nameplate)
    if (isNew && (held.size >= this.#atOnce || !this.#rate.consume(member, now))) return false
    this.#held.set(member, held.set(nameplate, (held.get(nameplate) ?? 0) + 1))
    return true
  }

  #release(member: string, nameplate: number): void {
    const held = this.#held.get(member)
    const holders = held?.get(nameplate)
    if (held === undefined || holders === undefined) return
    if (holders > 1) held.set(nameplate, holders - 1)
    else held.delete(nameplate)
    if (held.size === 0) this.#held.delete(member)
  }
}

/** What one connection of a member holds: the nameplates that it has named, and not left. */
export class HeldNameplates {
  readonly #lastMax: number
  readonly #acquire: (nameplate: number, now: number) => boolean
  readonly #release: (nameplate: number) => void
  readonly #held = new Set<number>()
  /** Left last: a message to the other side may still be on its way. */
  #left: readonly number[] = []

  constructor(
    lastMax: number,
    acquire: (nameplate: number, now: number) => boolean,
    release: (nameplate: number) => void,
  ) {
    this.#lastMax = lastMax
    this.#acquire = acquire
    this.#release = release
  }

  /** True if it may subscribe to this topic, as far as nameplates go. */
  take(topic: string, now: number): boolean {
    const nameplate = nameplateOf(topic)
    if (nameplate === undefined || this.#held.has(nameplate)) return true
    if (!this.#acquire(nameplate, now)) return false
    this.#held.add(nameplate)
    return true
  }

  /** True if it may publish there; a nameplate that it has just left is not taken hold of again. */
  write(topic: string, now: number): boolean {
    const nameplate = nameplateOf(topic)
    return (nameplate !== undefined && this.#left.includes(nameplate)) || this.take(topic, now)
  }

  /** It has unsubscribed; what it did not hold opens nothing to it. */
  leave(topics: readonly string[]): void {
    const named = topics.map(nameplateOf).filter((nameplate) => nameplate !== undefined)
    const ended = named.filter((nameplate) => this.#held.delete(nameplate))
    for (const nameplate of ended) this.#release(nameplate)
    this.#left = [...this.#left, ...ended].slice(-this.#lastMax)
  }

  close(): void {
    for (const nameplate of this.#held) this.#release(nameplate)
    this.#held.clear()
  }
}

function nameplateOf(topic: string): number | undefined {
  const parsed = parseTopic(topic)
  return parsed?.kind === "pairing" ? parsed.nameplate : undefined
}
