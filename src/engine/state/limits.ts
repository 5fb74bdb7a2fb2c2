/** A bucket of `capacity` tokens that fills up again at `perMs` tokens a millisecond. */
export type Bucket = { readonly tokens: number; readonly at: number }
export type Rate = { readonly capacity: number; readonly perMs: number }

/** Frames per second and mailbox that are looked at though they fit no expected tag: each costs two box openings. */
export const UNMATCHED_FRAMES: Rate = { capacity: 200, perMs: 200 / 1000 }
/** Answers per minute to one offer: an INIT costs a KEM decapsulation and four agreements. */
export const ANSWERS_PER_OFFER: Rate = { capacity: 4, perMs: 4 / 60_000 }
/** ... and per hour to all offers together. */
export const ANSWERS: Rate = { capacity: 60, perMs: 60 / 3_600_000 }

/** The limits that one engine keeps, by name. */
export type Limits = { readonly allow: (rate: Rate, name: string, now: number) => boolean }

/** More names than contacts and offers ever are; beyond it the oldest is forgotten, which only refills its bucket. */
const NAMES_MAX = 10_000

export function openLimits(): Limits {
  const buckets = new Map<string, Bucket>()
  return {
    allow: (rate, name, now) => {
      const taken = take(rate, buckets.get(name), now)
      buckets.delete(name)
      buckets.set(name, taken.bucket)
      const [oldest] = buckets.keys()
      if (buckets.size > NAMES_MAX && oldest !== undefined) buckets.delete(oldest)
      return taken.allowed
    },
  }
}

/** One token, if there is one. A clock that went back refills nothing. */
export function take(
  rate: Rate,
  before: Bucket | undefined,
  now: number,
): { allowed: boolean; bucket: Bucket } {
  const { tokens, at } = before ?? { tokens: rate.capacity, at: now }
  const filled = Math.min(rate.capacity, tokens + Math.max(0, now - at) * rate.perMs)
  const allowed = filled >= 1
  return { allowed, bucket: { tokens: allowed ? filled - 1 : filled, at: now } }
}
