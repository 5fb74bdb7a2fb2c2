import { expect, test } from "vitest"

import {
  ANSWERS_PER_OFFER,
  openLimits,
  UNMATCHED_FRAMES,
  take,
  type Bucket,
} from "../../src/engine/state/limits.ts"

test("a bucket gives its capacity at once, then as fast as it fills", () => {
  const rate = { capacity: 3, perMs: 1 / 1000 }
  let bucket: Bucket | undefined
  const tryAt = (now: number): boolean => {
    const taken = take(rate, bucket, now)
    bucket = taken.bucket
    return taken.allowed
  }
  expect([0, 0, 0, 0].map(tryAt)).toEqual([true, true, true, false])
  expect([999, 1000, 1001].map(tryAt)).toEqual([false, true, false])
  expect([60_000, 60_000, 60_000, 60_000].map(tryAt)).toEqual([true, true, true, false])
})

test("a clock that goes back gives nothing for free", () => {
  const rate = { capacity: 1, perMs: 1 }
  const { bucket } = take(rate, undefined, 1_000)
  expect(take(rate, bucket, 500).allowed).toBe(false)
  expect(take(rate, bucket, 1_001).allowed).toBe(true)
})

test("every name has its own bucket: Mallory's flood costs Alice nothing", () => {
  const limits = openLimits()
  const flood = Array.from({ length: 1_000 }, () => limits.allow(UNMATCHED_FRAMES, "mallory", 0))
  expect(flood.filter(Boolean)).toHaveLength(200)
  expect(limits.allow(UNMATCHED_FRAMES, "alice", 0)).toBe(true)
})

test("an offer is tried four times a minute", () => {
  const limits = openLimits()
  const tries = (now: number) =>
    Array.from({ length: 6 }, () => limits.allow(ANSWERS_PER_OFFER, "offer", now)).filter(Boolean).length
  expect(tries(0)).toBe(4)
  expect(tries(15_000)).toBe(1)
  expect(tries(75_000)).toBe(4)
})
