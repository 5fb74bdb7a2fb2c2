import { expect, test } from "vitest"
import { TrafficCounter } from "../../src/broker/traffic-counter.ts"

test("a traffic counter counts all messages and bytes, and gives the rate of the last minute", () => {
  const counter = new TrafficCounter()
  for (let n = 0; n < 120; n++) counter.add(10, 1_000_000 + n * 500)
  expect(counter.stats(1_059_999)).toEqual({ messages: 120, bytes: 1_200, perSecond: 2 })
  expect(counter.stats(1_089_999).perSecond).toBe(1)
  counter.add(1, 1_200_000)
  expect(counter.stats(1_200_000)).toEqual({ messages: 121, bytes: 1_201, perSecond: 1 / 60 })
})
