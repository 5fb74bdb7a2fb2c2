import { describe, expect, test } from "vitest"
import { GuestLimiter } from "../../src/broker/limits/guest-limiter.ts"

const MINUTE = 60_000

describe("the guest limiter", () => {
  test("counts connections that are open at the same time", () => {
    const limiter = new GuestLimiter({ connectionsAtOnce: 2, connectionsPerMinute: 100, framesPerMinute: 1 })
    expect([1, 2, 3].map(() => limiter.acquire("192.0.2.1", 0))).toEqual([true, true, false])
    limiter.release("192.0.2.1")
    expect(limiter.acquire("192.0.2.1", 0)).toBe(true)
  })

  test("gives a budget for a minute, and the same again over the next", () => {
    const limiter = new GuestLimiter({ connectionsAtOnce: 100, connectionsPerMinute: 2, framesPerMinute: 4 })
    const acquire = (now: number): boolean => limiter.acquire("192.0.2.1", now)
    expect([acquire(0), acquire(0), acquire(0)]).toEqual([true, true, false])
    expect([acquire(MINUTE / 2), acquire(MINUTE / 2)]).toEqual([true, false])
    const publish = (now: number): boolean => limiter.mayPublish("192.0.2.1", now)
    expect([0, 0, 0, 0, 0].map(publish)).toEqual([true, true, true, true, false])
    expect([publish(MINUTE * 10), publish(MINUTE * 10)]).toEqual([true, true])
  })

  test("a clock that goes back gives nothing", () => {
    const limiter = new GuestLimiter({ connectionsAtOnce: 100, connectionsPerMinute: 1, framesPerMinute: 1 })
    expect(limiter.mayPublish("192.0.2.1", MINUTE)).toBe(true)
    expect(limiter.mayPublish("192.0.2.1", 0)).toBe(false)
  })

  test("counts one address block as one: an IPv4 address in any spelling, 64 bits of an IPv6 address", () => {
    const together = (a: string, b: string): boolean => {
      const limiter = new GuestLimiter({ connectionsAtOnce: 1, connectionsPerMinute: 9, framesPerMinute: 1 })
      limiter.acquire(a, 0)
      return !limiter.acquire(b, 0)
    }
    expect(together("192.0.2.1", "::ffff:192.0.2.1")).toBe(true)
    expect(together("192.0.2.1", "192.0.2.2")).toBe(false)
    expect(together("2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6")).toBe(true)
    expect(together("2001:db8:1:2::1", "2001:db8:1:3::1")).toBe(false)
    expect(together("2001:db8::1", "2001:db8:0:0:9::")).toBe(true)
    expect(together("::1", "::2")).toBe(true)
  })
})
