import fc from "fast-check"
import { expect, it } from "vitest"
import { type Bucket, type Rate, takeToken } from "../src/token-bucket.ts"

const rates = fc.record({
  capacity: fc.integer({ min: 1, max: 50 }),
  refillMs: fc.integer({ min: 1, max: 3_600_000 }),
})

/** When each token was asked for, and whether there was one. */
function run(rate: Rate, times: readonly number[]): { at: number; allowed: boolean }[] {
  let bucket: Bucket | undefined
  return times.map((at) => {
    const taken = takeToken(rate, bucket, at)
    bucket = taken.bucket
    return { at, allowed: taken.allowed }
  })
}

function timesFrom(gaps: readonly number[]): number[] {
  let now = 1_000
  return gaps.map((gap) => (now += gap))
}

const gaps = fc.array(fc.nat(100_000), { maxLength: 100 })

it("a bucket gives its capacity at once, then as fast as it refills", () => {
  const rate = { capacity: 3, refillMs: 3_000 }
  let bucket: Bucket | undefined
  const tryAt = (now: number): boolean => {
    const taken = takeToken(rate, bucket, now)
    bucket = taken.bucket
    return taken.allowed
  }
  expect([0, 0, 0, 0].map(tryAt)).toEqual([true, true, true, false])
  expect([999, 1000, 1001].map(tryAt)).toEqual([false, true, false])
  expect([60_000, 60_000, 60_000, 60_000].map(tryAt)).toEqual([true, true, true, false])
})

it("a clock that goes back gives nothing for free", () => {
  const rate = { capacity: 1, refillMs: 1 }
  const { bucket } = takeToken(rate, undefined, 1_000)
  expect(takeToken(rate, bucket, 500).allowed).toBe(false)
  expect(takeToken(rate, bucket, 1_001).allowed).toBe(true)
})

it("a full bucket gives its capacity at once and nothing more", () => {
  fc.assert(
    fc.property(rates, (rate) => {
      const asked = run(rate, Array<number>(rate.capacity + 3).fill(1_000))
      expect(asked.map(({ allowed }) => allowed)).toEqual(asked.map((_, at) => at < rate.capacity))
    }),
  )
})

it("in no span of time are there more than the capacity and what came back meanwhile", () => {
  fc.assert(
    fc.property(rates, gaps, (rate, between) => {
      const allowed = run(rate, timesFrom(between)).filter((asked) => asked.allowed)
      allowed.forEach((first, from) => {
        allowed.slice(from).forEach((last, more) => {
          const refilled = ((last.at - first.at) * rate.capacity) / rate.refillMs
          expect(more + 1).toBeLessThanOrEqual(rate.capacity + refilled + 1e-6)
        })
      })
    }),
  )
})

it("an emptied bucket is full again after the time to refill it, and not before", () => {
  fc.assert(
    fc.property(rates, (rate) => {
      const empty: Bucket = { tokens: 0, at: 0 }
      const { bucket } = takeToken(rate, empty, rate.refillMs)
      expect(bucket.tokens).toBe(rate.capacity - 1)
      const early = takeToken(rate, empty, Math.ceil(rate.refillMs / rate.capacity) - 1)
      expect(early.allowed).toBe(false)
    }),
  )
})

it("a clock that goes back refills nothing", () => {
  fc.assert(
    fc.property(rates, fc.nat(1_000_000), (rate, back) => {
      const empty: Bucket = { tokens: 0, at: 1_000_000 }
      expect(takeToken(rate, empty, 1_000_000 - back)).toMatchObject({
        allowed: false,
        bucket: { tokens: 0 },
      })
    }),
  )
})
