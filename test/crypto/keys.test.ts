import { inspect } from "node:util"
import { describe, expect, it } from "vitest"
import { ARGON2_COST, argon2id, withinBounds } from "../../src/crypto/argon2.ts"
import type { EncapsulationKey, KemCiphertext, KemSeed } from "../../src/crypto/bytes.ts"
import { toHex, utf8 } from "../../src/crypto/bytes.ts"
import { concealed } from "../../src/crypto/concealed.ts"
import { expand, hash32, kdf } from "../../src/crypto/kdf.ts"
import { decapsulate, encapsulate, kemKeyPair } from "../../src/crypto/mlkem.ts"
import { hash } from "../../src/crypto/nacl.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { Fault } from "../../src/errors.ts"

describe("HKDF-SHA-512", () => {
  it("gives at most 255 blocks", () => {
    expect(expand(systemRandom(64), utf8("label"), 16_320)).toHaveLength(16_320)
    expect(() => expand(systemRandom(64), utf8("label"), 16_321)).toThrow(RangeError)
  })

  it("has the same first bytes at any length, and differs by label", () => {
    const prk = systemRandom(64)
    const long = expand(prk, utf8("label"), 160)
    for (const length of [0, 1, 32, 63, 64, 65, 96, 128, 129]) {
      expect(expand(prk, utf8("label"), length)).toEqual(long.subarray(0, length))
    }
    expect(expand(prk, utf8("other"), 160)).not.toEqual(long)
  })

  it("treats an empty salt as 64 zero bytes", () => {
    const ikm = systemRandom(32)
    const label = utf8("label")
    expect(kdf(new Uint8Array(), ikm, label, 32)).toEqual(kdf(new Uint8Array(64), ikm, label, 32))
  })

  it("cuts SHA-512 to 32 bytes for hash32", () => {
    expect(hash32(utf8("a"), utf8("bc"))).toEqual(hash(utf8("abc")).subarray(0, 32))
  })
})

describe("ML-KEM-768", () => {
  it("gives Alice and Bob a shared secret from a seed of 64 bytes", () => {
    const seed = systemRandom(64) as KemSeed
    const sent = encapsulate(kemKeyPair(seed), systemRandom)
    expect(sent?.ciphertext).toHaveLength(1088)
    expect(sent?.secret).toHaveLength(32)
    expect(decapsulate(seed, sent!.ciphertext)).toEqual(sent!.secret)
  })

  it("makes the same ciphertext from the same randomness", () => {
    const key = kemKeyPair(systemRandom(64) as KemSeed)
    const chosen = (length: number) => new Uint8Array(length).fill(7)
    expect(encapsulate(key, chosen)).toEqual(encapsulate(key, chosen))
  })

  it("gives an unrelated secret for a ciphertext that Mallory altered", () => {
    const seed = systemRandom(64) as KemSeed
    const { ciphertext, secret } = encapsulate(kemKeyPair(seed), systemRandom)!
    const altered = ciphertext.with(0, (ciphertext[0] ?? 0) ^ 1) as KemCiphertext
    expect(decapsulate(seed, altered)).not.toEqual(secret)
    expect(decapsulate(seed, altered)).toEqual(decapsulate(seed, altered))
  })

  it("refuses a key that is too short, too long, or has a coefficient of 3329", () => {
    const key = kemKeyPair(systemRandom(64) as KemSeed)
    const wide = new Uint8Array(key)
    wide.set([0x01, ((wide[1] ?? 0) & 0xf0) | 0x0d])
    for (const bad of [key.subarray(1), new Uint8Array(1185), new Uint8Array(), wide]) {
      expect(encapsulate(bad as EncapsulationKey, systemRandom)).toBeUndefined()
    }
  })
})

describe("Argon2id", () => {
  it("derives the same key from a passphrase every time", async () => {
    const key = await argon2id(utf8("x"), new Uint8Array(16), ARGON2_COST)
    expect(toHex(key)).toBe("716f71be8a02903919ba14b3af4dc828e760a109668737ccd70517213a5447de")
  })

  it.each([
    [{ memoryKiB: 8_192, iterations: 1, parallelism: 1 }, true],
    [{ memoryKiB: 8_191, iterations: 1, parallelism: 1 }, false],
    [{ memoryKiB: 1_048_576, iterations: 16, parallelism: 4 }, true],
    [{ memoryKiB: 1_048_577, iterations: 16, parallelism: 4 }, false],
    [{ memoryKiB: 8_192, iterations: 17, parallelism: 1 }, false],
    [{ memoryKiB: 8_192, iterations: 0, parallelism: 1 }, false],
    [{ memoryKiB: 8_192, iterations: 1, parallelism: 5 }, false],
    [{ memoryKiB: 8_192, iterations: 1, parallelism: 0 }, false],
  ])("spends %o: %s", (cost, allowed) => {
    expect(withinBounds(cost)).toBe(allowed)
  })

  it("does no work for a cost out of bounds", async () => {
    const cost = { memoryKiB: 4_000_000, iterations: 3, parallelism: 1 }
    await expect(argon2id(utf8("x"), new Uint8Array(16), cost)).rejects.toThrow(Fault)
  })
})

describe("a concealed secret", () => {
  it("prints as its name, and keeps its bytes", () => {
    const key = concealed("ChainKey", Uint8Array.of(1, 2, 3))
    expect(inspect(key)).toBe("‹ChainKey›")
    expect(inspect({ deep: { key } })).toContain("‹ChainKey›")
    expect(JSON.stringify({ key })).toBe('{"key":"‹ChainKey›"}')
    expect(String(key)).toBe("‹ChainKey›")
    expect(key).toEqual(Uint8Array.of(1, 2, 3))
  })
})

describe("system randomness", () => {
  it("is in memory that nothing else shares", () => {
    const bytes = systemRandom(32)
    expect(bytes.buffer.byteLength).toBe(32)
    expect(systemRandom(32)).not.toEqual(bytes)
  })
})
