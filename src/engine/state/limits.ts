import { type Bucket, type Rate, takeToken } from "../../token-bucket.ts"
import { MINUTE_MS } from "../../time-units.ts"

/** Frames per second and mailbox that are tried without an expected tag: each costs two box openings. */
export const UNMATCHED_FRAMES: Rate = { capacity: 200, refillMs: 1000 }
/**
 * INITs a minute that one device of a contact, or whoever holds one offer, may make us try: a millisecond each, for a KEM
 * decapsulation and four key agreements. There is no bound for all together, so that no one can use up another's [D-150].
 */
export const INITS: Rate = { capacity: 4, refillMs: MINUTE_MS }
/** Requests a minute for one link: each has an answer of 2 KiB. */
export const LINK_REQUESTS: Rate = { capacity: 4, refillMs: MINUTE_MS }

/**
 * Keys of post-quantum steps a second that one device has answered: each is an encapsulation, a reply of 1 KiB and a secret that
 * is stored. A device asks once in 50 messages and then waits for its next chain, so sixteen are for 800 messages a second [D-124].
 */
export const KEM_ANSWERS: Rate = { capacity: 16, refillMs: 1000 }

/** What a contact that was never verified may write to the disk. */
export type UnverifiedLimits = { readonly perHour: number; readonly bytes: number }

/** A message a second is more than a person reads, and enough for a script; the bytes are half a million short texts. */
export const UNVERIFIED_LIMITS: UnverifiedLimits = { perHour: 3_600, bytes: 64 * 1024 * 1024 }

/** The limits that one engine keeps, by name. */
export type Limits = { readonly allow: (rate: Rate, name: string, now: number) => boolean }

/** More names than there are contacts and offers; beyond it the oldest is forgotten, which only refills its bucket. */
const NAMES_MAX = 10_000

export function openLimits(): Limits {
  const buckets = new Map<string, Bucket>()
  return {
    allow: (rate, name, now) => {
      const taken = takeToken(rate, buckets.get(name), now)
      buckets.delete(name)
      buckets.set(name, taken.bucket)
      const [oldest] = buckets.keys()
      if (buckets.size > NAMES_MAX && oldest !== undefined) buckets.delete(oldest)
      return taken.allowed
    },
  }
}
