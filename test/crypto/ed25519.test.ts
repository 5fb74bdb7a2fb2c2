import { describe, expect, it, test } from "vitest"
import { concat } from "../../src/crypto/bytes.ts"
import { isSignature, isVerifyKey } from "../../src/crypto/ed25519.ts"
import { signKeyPair } from "../../src/crypto/nacl.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { hex } from "./hex.ts"
import { RFC_8032, SMALL_ORDER_ED25519, SMALL_ORDER_ED25519_SPELT_OTHERWISE } from "./published.ts"

/** The order of the group and the prime of the field, little-endian (RFC 8032 section 5.1). */
const GROUP_ORDER = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"
const FIELD_PRIME = "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"

function plus(number: string, difference: number): Uint8Array {
  const bytes = hex(number)
  bytes[0] = (bytes[0] ?? 0) + difference
  return bytes
}

describe("[S-1] a key to check signatures with", () => {
  it.each(RFC_8032)("is each of RFC 8032, $name", ({ publicKey }) => {
    expect(isVerifyKey(hex(publicKey))).toBe(true)
  })

  it("is each that is made here", () => {
    for (let made = 0; made < 50; made++) expect(isVerifyKey(signKeyPair(systemRandom).publicKey)).toBe(true)
  })

  it.each([...SMALL_ORDER_ED25519, ...SMALL_ORDER_ED25519_SPELT_OTHERWISE])(
    "is not the point of small order %s",
    (point) => {
      expect(isVerifyKey(hex(point))).toBe(false)
    },
  )

  it("has a coordinate below the prime, whatever the sign of the other", () => {
    for (let above = 0; above < 19; above++) {
      const spelling = plus(FIELD_PRIME, above)
      expect(isVerifyKey(spelling)).toBe(false)
      expect(isVerifyKey(spelling.with(31, 0xff))).toBe(false)
    }
    expect(isVerifyKey(plus(FIELD_PRIME, -2))).toBe(true)
  })

  it("has 32 bytes", () => {
    const { publicKey } = signKeyPair(systemRandom)
    expect(isVerifyKey(publicKey.subarray(1))).toBe(false)
    expect(isVerifyKey(concat(publicKey, Uint8Array.of(0)))).toBe(false)
  })
})

test("[S-1] a signature has 64 bytes and S below the group order", () => {
  const point = systemRandom(32)
  expect(isSignature(concat(point, new Uint8Array(32)))).toBe(true)
  expect(isSignature(concat(point, plus(GROUP_ORDER, -1)))).toBe(true)
  expect(isSignature(concat(point, hex(GROUP_ORDER)))).toBe(false)
  expect(isSignature(concat(point, plus(GROUP_ORDER, 1)))).toBe(false)
  expect(isSignature(concat(point, new Uint8Array(32).fill(0xff)))).toBe(false)
  expect(isSignature(concat(point, new Uint8Array(33)))).toBe(false)
  expect(isSignature(concat(point, new Uint8Array(31)))).toBe(false)
})
