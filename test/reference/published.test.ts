import { ml_kem768 } from "@noble/post-quantum/ml-kem.js"
import { expect, test } from "vitest"
import { hex, toHex } from "./bytes.ts"
import { HMAC, KDF, kemKey, XDH } from "./primitives.ts"
import { vectorsOf } from "./vectors.ts"

type Case = Record<string, string> & { tcId: number; size?: number; flags?: string[]; tagBytes: number }
type File = { testGroups: { tagSize?: number; tests: Omit<Case, "tagBytes">[] }[] }

function casesOf(name: string): Case[] {
  const { testGroups } = vectorsOf(name) as File
  return testGroups.flatMap(({ tagSize = 0, tests }) =>
    tests.map((test) => ({ ...test, tagBytes: tagSize / 8 }) as Case),
  )
}

test("X25519 of Wycheproof: the secret, or nothing where it would be zeros [S-1]", () => {
  for (const { private: secret, public: key, shared } of casesOf("x25519_test.json")) {
    const agreed = XDH(hex(secret!), hex(key!))
    expect(agreed === undefined ? "00".repeat(32) : toHex(agreed)).toBe(shared)
  }
})

test("HKDF and HMAC with SHA-512 of Wycheproof [S-1]", () => {
  for (const { salt, ikm, info, size = 0, okm, result } of casesOf("hkdf_sha512_test.json")) {
    if (result === "valid") expect(toHex(KDF(hex(salt!), hex(ikm!), hex(info!), size))).toBe(okm)
  }
  for (const { key, msg, tag, tagBytes, result } of casesOf("hmac_sha512_test.json"))
    expect(toHex(HMAC(hex(key!), hex(msg!)).slice(0, tagBytes)) === tag).toBe(result === "valid")
})

test("ML-KEM-768 of Wycheproof: keys from seeds, and secrets [S-1]", () => {
  for (const { seed, ek } of casesOf("mlkem_768_keygen_seed_test.json"))
    expect(toHex(kemKey(hex(seed!)))).toBe(ek)
  const decapsulations = casesOf("mlkem_768_semi_expanded_decaps_test.json")
  for (const { dk, c, K, result } of decapsulations) {
    const secret = () => toHex(ml_kem768.decapsulate(hex(c!), hex(dk!)))
    if (result === "valid") expect(secret()).toBe(K)
    else expect(secret).toThrow()
  }
})
