import { expect, test } from "vitest"

import { INITS, openLimits, UNMATCHED_FRAMES } from "../../src/engine/state/limits.ts"

test("every name has its own bucket: Mallory's flood costs Alice nothing", () => {
  const limits = openLimits()
  const flood = Array.from({ length: 1_000 }, () => limits.allow(UNMATCHED_FRAMES, "mallory", 0))
  expect(flood.filter(Boolean)).toHaveLength(200)
  expect(limits.allow(UNMATCHED_FRAMES, "alice", 0)).toBe(true)
})

test("an offer is tried four times a minute", () => {
  const limits = openLimits()
  const tries = (now: number) =>
    Array.from({ length: 6 }, () => limits.allow(INITS, "offer", now)).filter(Boolean).length
  expect(tries(0)).toBe(4)
  expect(tries(15_000)).toBe(1)
  expect(tries(75_000)).toBe(4)
})
