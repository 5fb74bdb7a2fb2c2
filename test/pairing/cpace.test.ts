import { readFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { PublicKey, SecretKey } from "../../src/crypto/bytes.ts"
import { BACKENDS, useBackend } from "../../src/crypto/nacl.ts"
import { generator, pakeSecret, pakeShare, prefixed, sessionKey } from "../../src/pairing/cpace.ts"

type Vectors = { G_25519: Record<string, string>; X25519_points: Record<string, string> }
const { G_25519: vector, X25519_points: points } = JSON.parse(
  readFileSync(new URL("../vectors/cpace.json", import.meta.url), "utf8"),
) as Vectors

const bytes = (name: string): Uint8Array => new Uint8Array(Buffer.from(vector[name]!, "hex"))
const hex = (result: Uint8Array | undefined): string | undefined =>
  result && Buffer.from(result).toString("hex").toUpperCase()

describe.each(BACKENDS)("CPace on %s", (backend) => {
  beforeAll(async () => {
    await useBackend(backend)
  })
  afterAll(async () => {
    await useBackend("tweetnacl")
  })

  it("gives every value of the draft's vector [P-10]", () => {
    const [ya, yb] = [bytes("ya") as SecretKey, bytes("yb") as SecretKey]
    const sid = bytes("sid")
    const point = generator({ prs: bytes("PRS"), ci: bytes("CI"), sid })
    expect(hex(point)).toBe(vector.g)
    const first = { share: pakeShare(ya, point)!, ad: bytes("ADa") }
    const second = { share: pakeShare(yb, point)!, ad: bytes("ADb") }
    expect(hex(first.share)).toBe(vector.Ya)
    expect(hex(second.share)).toBe(vector.Yb)
    for (const secret of [pakeSecret(ya, second.share)!, pakeSecret(yb, first.share)!]) {
      expect(hex(secret)).toBe(vector.K)
      expect(hex(sessionKey(sid, secret, [first, second]))).toBe(vector.ISK_IR)
    }
  })

  it("refuses every share of low order [P-12]", () => {
    const invalid = Object.entries(points).map(([name, share]) => [name, Buffer.from(share, "hex")] as const)
    const refused = invalid.filter(([, share]) => {
      const theirs = new Uint8Array(share) as PublicKey
      return pakeSecret(new Uint8Array(32).fill(7) as SecretKey, theirs) === undefined
    })
    // With the top bit masked (RFC 7748) the others are ordinary points.
    const low = [0, 1, 2, 3, 4, 5, 7].map((at) => `Invalid Y${at}`)
    expect(refused.map(([name]) => name)).toEqual(low)
  })
})

describe("a length before the bytes", () => {
  it("is LEB128 [P-10]", () => {
    expect([...prefixed(new Uint8Array())]).toEqual([0])
    expect([...prefixed(new Uint8Array(127)).subarray(0, 2)]).toEqual([127, 0])
    expect([...prefixed(new Uint8Array(128)).subarray(0, 3)]).toEqual([0x80, 1, 0])
    expect(prefixed(new Uint8Array(20_000))).toHaveLength(20_003)
  })
})
