import { readFileSync } from "node:fs"
import { createMlKem768, MlKemError } from "mlkem"
import { beforeAll, describe, expect, it } from "vitest"
import type { KemSeed, PublicKey, SecretKey } from "../../src/crypto/bytes.ts"
import { equal, toHex } from "../../src/crypto/bytes.ts"
import { kdf } from "../../src/crypto/kdf.ts"
import { kemKeyPair } from "../../src/crypto/mlkem.ts"
import { agree, BACKENDS, hmac, useBackend } from "../../src/crypto/nacl.ts"
import { hex } from "./hex.ts"

type Case<Fields extends string> = { tcId: number; result: string; flags?: string[] } & Record<Fields, string>

type Groups<Fields extends string> = {
  numberOfTests: number
  testGroups: { tagSize?: number; tests: (Case<Fields> & { size?: number })[] }[]
}

/** Every case of a Wycheproof file, each with its group's tag size in bytes. */
function cases<Fields extends string>(name: string) {
  const url = new URL(`../vectors/${name}_test.json`, import.meta.url)
  const { numberOfTests, testGroups } = JSON.parse(readFileSync(url, "utf8")) as Groups<Fields>
  const all = testGroups.flatMap(({ tagSize = 0, tests }) =>
    tests.map((test) => ({ ...test, tagBytes: tagSize / 8 })),
  )
  expect(all).toHaveLength(numberOfTests)
  return all
}

describe.each(BACKENDS)("Wycheproof, by %s", (backend) => {
  beforeAll(() => useBackend(backend))

  it("X25519: the shared secret, or a refusal where it would be zero", () => {
    for (const { tcId, private: secret, public: theirs, shared } of cases<"private" | "public" | "shared">(
      "x25519",
    )) {
      const expected = /^0+$/.test(shared) ? undefined : shared
      const actual = agree(hex(secret) as SecretKey, hex(theirs) as PublicKey)
      expect(actual && toHex(actual), `case ${tcId}`).toBe(expected)
    }
  })

  it("HKDF-SHA-512: the output key, or an error where it is too long", () => {
    for (const { tcId, salt, ikm, info, okm, size = 0, result } of cases<"salt" | "ikm" | "info" | "okm">(
      "hkdf_sha512",
    )) {
      const derive = () => toHex(kdf(hex(salt), hex(ikm), hex(info), size))
      if (result === "valid") expect(derive(), `case ${tcId}`).toBe(okm)
      else expect(derive, `case ${tcId}`).toThrow(RangeError)
    }
  })

  it("HMAC-SHA-512: the tag where it is valid, and no other", () => {
    for (const { tcId, key, msg, tag, tagBytes, result } of cases<"key" | "msg" | "tag">("hmac_sha512")) {
      const actual = hmac(hex(key), hex(msg)).subarray(0, tagBytes)
      expect(equal(actual, hex(tag)), `case ${tcId}`).toBe(result === "valid")
    }
  })
})

describe("Wycheproof, ML-KEM-768", () => {
  it("gives the encapsulation key of each seed", () => {
    for (const { tcId, seed, ek } of cases<"seed" | "ek">("mlkem_768_keygen_seed")) {
      expect(toHex(kemKeyPair(hex(seed) as KemSeed)), `case ${tcId}`).toBe(ek)
    }
  })

  it("decapsulates with an expanded key, or refuses its length, in the library below our seeds", async () => {
    const mlkem = await createMlKem768()
    const all = cases<"dk" | "c" | "K">("mlkem_768_semi_expanded_decaps")
    // An expanded key that contradicts itself cannot reach us: our function takes seeds only.
    const ours = all.filter(({ flags }) => !flags?.includes("InvalidDecapsulationKey"))
    expect(all.length - ours.length).toBe(2)
    for (const { tcId, dk, c, K, result } of ours) {
      const decapsulate = () => toHex(mlkem.decap(hex(c), hex(dk)))
      if (result === "valid") expect(decapsulate(), `case ${tcId}`).toBe(K)
      else expect(decapsulate, `case ${tcId}`).toThrow(MlKemError)
    }
  })
})
