import { type Bucket, type Rate, takeToken } from "../../token-bucket.ts"
import { HOUR_MS, MINUTE_MS } from "../../time-units.ts"

/** Frames per second and mailbox that are tried without an expected tag: each costs two box openings. */
export const UNMATCHED_FRAMES: Rate = { capacity: 200, refillMs: 1000 }
/** Answers per minute to one offer: an INIT costs a KEM decapsulation and four key agreements. */
export const ANSWERS_PER_OFFER: Rate = { capacity: 4, refillMs: MINUTE_MS }
/** ... and per hour to all offers together. */
export const ANSWERS: Rate = { capacity: 60, refillMs: HOUR_MS }

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
