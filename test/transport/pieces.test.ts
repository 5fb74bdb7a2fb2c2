import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { Fault } from "../../src/errors.ts"
import { retryDelay } from "../../src/async/backoff.ts"
import { failureOf } from "../../src/transport/failures.ts"
import { packetLimit } from "../../src/transport/packet-limit.ts"
import { Window } from "../../src/transport/window.ts"
import { faultOf } from "./transport-fixture.ts"

const PAUSES = { first: 250, longest: 60_000 }

describe("waiting before a retry", () => {
  test("doubles from the first pause to the longest, with jitter of half of it", () => {
    expect(retryDelay(1, 0, PAUSES)).toBe(125)
    expect(retryDelay(2, 0, PAUSES)).toBe(250)
    expect(retryDelay(1, 0.5, PAUSES)).toBe(188)
    for (const retry of [9, 10, 1000]) expect(retryDelay(retry, 0.999, PAUSES)).toBeLessThanOrEqual(60_000)
    expect(retryDelay(1000, 0, PAUSES)).toBe(30_000)
  })

  test("never becomes shorter with more failures", () => {
    const jitter = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), jitter, (retry, by) => {
        expect(retryDelay(retry + 1, by, PAUSES)).toBeGreaterThanOrEqual(retryDelay(retry, by, PAUSES))
      }),
    )
  })
})

/** A packet with `length` bytes after its fixed header. */
function packet(length: number): Buffer {
  const header = [0x30]
  for (let left = length; header.length === 1 || left > 0; left = Math.floor(left / 128)) {
    header.push((left % 128) + (left >= 128 ? 128 : 0))
  }
  return Buffer.concat([Buffer.from(header), Buffer.alloc(length, 0xff)])
}

/** The results for a stream that arrives in pieces of these sizes. */
function inPieces(stream: Buffer, sizes: readonly number[], limit: number): boolean {
  const isWithinLimit = packetLimit(limit)
  let at = 0
  for (let n = 0; at < stream.length; n += 1) {
    const size = sizes[n % sizes.length] ?? stream.length
    if (!isWithinLimit(stream.subarray(at, at + size))) return false
    at += size
  }
  return true
}

describe("the limit on packets", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 })

  test("passes every stream whose packets are within it, however it is split", () => {
    const lengths = fc.array(fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 1000 }), fc.constant(1000)), {
      maxLength: 20,
    })
    fc.assert(
      fc.property(lengths, sizes, (all, cuts) => {
        expect(inPieces(Buffer.concat(all.map(packet)), cuts, 1000)).toBe(true)
      }),
    )
  })

  test("stops a packet that is one byte longer, before its contents arrive", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 1000 }), { maxLength: 5 }), sizes, (all, cuts) => {
        const stream = Buffer.concat([...all.map(packet), packet(1001).subarray(0, 3)])
        expect(inPieces(stream, cuts, 1000)).toBe(false)
      }),
    )
  })

  test("stops a length of more than four bytes", () => {
    expect(packetLimit(1000)(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01]))).toBe(false)
    expect(packetLimit(1000)(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x00]))).toBe(true)
  })
})

describe("the window of publishes", () => {
  function windowOf(width: number) {
    const sent: { readonly topic: string; readonly done: (refusal: Fault | undefined) => void }[] = []
    const window = new Window((topic, _payload, done) => sent.push({ topic, done }), width)
    const publish = (topic: string) => window.publish(topic, new Uint8Array())
    return { window, sent, publish, topics: () => sent.map(({ topic }) => topic) }
  }

  test("sends in order, a limited number at once, and the next when one is acknowledged", async () => {
    const { sent, publish, topics } = windowOf(2)
    const all = ["a", "b", "c", "d"].map(publish)
    expect(topics()).toEqual(["a", "b"])
    sent[1]?.done(undefined)
    await all[1]
    expect(topics()).toEqual(["a", "b", "c"])
    sent[0]?.done(undefined)
    sent[2]?.done(undefined)
    sent[3]?.done(undefined)
    await Promise.all(all)
    expect(topics()).toEqual(["a", "b", "c", "d"])
  })

  test("rejects a refused publish, and all of them when the connection ends", async () => {
    const { window, sent, publish } = windowOf(2)
    const all = ["a", "b", "c"].map((topic) => faultOf(publish(topic)))
    const refusal = new Fault("refused", "no")
    sent[0]?.done(refusal)
    expect(await all[0]).toBe(refusal)
    const why = new Fault("unavailable", "gone")
    window.end(why)
    expect(await Promise.all(all.slice(1))).toEqual([why, why])
    sent[1]?.done(undefined)
    expect(await faultOf(publish("late"))).toEqual(why)
    expect(sent).toHaveLength(3)
  })
})

describe("the classification of errors", () => {
  const at = { host: "chat.example", port: 8883 }
  const coded = (code: string | number) => failureOf(Object.assign(new Error("x"), { code }), at)

  test("failures of certificates, credentials and versions are permanent; those of networks are not", () => {
    for (const code of ["CERT_HAS_EXPIRED", "SELF_SIGNED_CERT_IN_CHAIN", 4, 5, 134, 135, "EPROTO", 1]) {
      expect(coded(code).permanent).toBe(true)
    }
    for (const code of [
      "ECONNREFUSED",
      "ENOTFOUND",
      "ETIMEDOUT",
      "ECONNRESET",
      "EWHATEVER",
      3,
      136,
      142,
      200,
    ]) {
      expect(coded(code).permanent).toBe(false)
    }
  })

  test("every failure names the broker, begins in lower case and has no full stop", () => {
    for (const code of ["CERT_HAS_EXPIRED", "EPROTO", "ECONNREFUSED", 4, 5, 3, "EWHATEVER"]) {
      const { message } = coded(code).fault
      expect(message).toMatch(/^the broker at chat\.example:8883 .*[^.]$/)
    }
    expect(failureOf(new Error("no code"), at).fault.message).toContain("without saying why")
  })

  test("a Fault of our own keeps its message", () => {
    const own = new Fault("disk-full", "the disk is full")
    expect(failureOf(own, at)).toEqual({ permanent: false, fault: own })
  })
})
