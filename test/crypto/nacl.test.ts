import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import type { PublicKey, SecretKey, SigningKey, VerifyKey } from "../../src/crypto/bytes.ts"
import { concat, toHex, utf8 } from "../../src/crypto/bytes.ts"
import {
  activeBackend,
  agree,
  BACKENDS,
  boxKeyPair,
  hash,
  hmac,
  hmac32,
  open,
  openInto,
  publicKeyOf,
  seal,
  sealInto,
  sign,
  signKeyPair,
  useBackend,
  verify,
  verifyKeyOf,
} from "../../src/crypto/nacl.ts"
import { node } from "../../src/crypto/node.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { passesSelfTest } from "../../src/crypto/self-test.ts"
import { Fault } from "../../src/errors.ts"
import { hex } from "./hex.ts"
import {
  LOW_ORDER_X25519,
  NACL_PAPER,
  RFC_8032,
  SMALL_ORDER_ED25519,
  SMALL_ORDER_ED25519_SPELT_OTHERWISE,
} from "./published.ts"

/** The order of the Ed25519 group, little-endian (RFC 8032 section 5.1). */
const GROUP_ORDER = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")

function plusGroupOrder(scalar: Uint8Array): Uint8Array {
  let carry = 0
  return scalar.map((byte, index) => {
    carry += byte + (GROUP_ORDER[index] ?? 0)
    const low = carry & 0xff
    carry >>= 8
    return low
  })
}

describe.each(BACKENDS)("%s", (backend) => {
  beforeAll(() => useBackend(backend))

  it("is the one in use", () => {
    expect(activeBackend()).toBe(backend)
  })

  it("seals and opens the box of the NaCl paper", () => {
    const { aliceSecret, bobSecret, shared, key, nonce, message, box } = NACL_PAPER
    expect(toHex(agree(aliceSecret, publicKeyOf(bobSecret))!)).toBe(shared)
    expect(toHex(agree(bobSecret, publicKeyOf(aliceSecret))!)).toBe(shared)
    expect(toHex(seal(hex(message), hex(nonce), hex(key)))).toBe(box)
    expect(toHex(open(hex(box), hex(nonce), hex(key))!)).toBe(message)
  })

  it("seals a message in place, and opens into existing memory", () => {
    const [key, nonce, message] = [systemRandom(32), systemRandom(24), systemRandom(100)]
    const box = concat(new Uint8Array(16), message)
    sealInto(box, box.subarray(16), nonce, key)
    expect(box).toEqual(seal(message, nonce, key))
    const opened = new Uint8Array(100)
    expect(openInto(opened, box, nonce, key)).toBe(true)
    expect(opened).toEqual(message)
    expect(openInto(opened, box, nonce, systemRandom(32))).toBe(false)
  })

  it("opens no box that is cut, altered or of another key or nonce", () => {
    const key = systemRandom(32)
    const nonce = systemRandom(24)
    const box = seal(utf8("for Bob"), nonce, key)
    for (let length = 0; length < box.length; length++) {
      expect(open(box.subarray(0, length), nonce, key)).toBeUndefined()
    }
    for (let index = 0; index < box.length; index++) {
      const altered = box.with(index, (box[index] ?? 0) ^ 1)
      expect(open(altered, nonce, key)).toBeUndefined()
    }
    expect(open(box, systemRandom(24), key)).toBeUndefined()
    expect(open(box, nonce, systemRandom(32))).toBeUndefined()
    expect(open(seal(new Uint8Array(), nonce, key), nonce, key)).toEqual(new Uint8Array())
  })

  it.each(RFC_8032)(
    "signs as RFC 8032 section 7.1 does, $name",
    ({ secret, publicKey, message, signature }) => {
      const key = hex(secret) as SigningKey
      expect(toHex(verifyKeyOf(key))).toBe(publicKey)
      expect(toHex(sign(hex(message), key))).toBe(signature)
      expect(verify(hex(message), hex(signature), hex(publicKey) as VerifyKey)).toBe(true)
    },
  )

  it("refuses a signature that Mallory altered, stretched or cut", () => {
    const { secretKey, publicKey } = signKeyPair(systemRandom)
    const message = utf8("my prekey")
    const signature = sign(message, secretKey)
    expect(verify(message, signature, publicKey)).toBe(true)
    expect(verify(utf8("my prekez"), signature, publicKey)).toBe(false)
    expect(verify(message, signature, verifyKeyOf(systemRandom(32) as SigningKey))).toBe(false)
    expect(verify(message, concat(signature, Uint8Array.of(0)), publicKey)).toBe(false)
    expect(verify(message, signature.subarray(0, 63), publicKey)).toBe(false)
    expect(verify(message, new Uint8Array(), publicKey)).toBe(false)
  })

  it("refuses the malleable form of a signature, S + L", () => {
    const { secretKey, publicKey } = signKeyPair(systemRandom)
    const message = utf8("my prekey")
    const signature = sign(message, secretKey)
    const twin = concat(signature.subarray(0, 32), plusGroupOrder(signature.subarray(32)))
    expect(verify(message, twin, publicKey)).toBe(false)
  })

  it.each([...SMALL_ORDER_ED25519, ...SMALL_ORDER_ED25519_SPELT_OTHERWISE])(
    "takes no signature by the key of small order %s, whose signatures Mallory can make",
    (key) => {
      for (const point of SMALL_ORDER_ED25519) {
        const forged = concat(hex(point), new Uint8Array(32))
        for (const words of ["one", "two", "three", "four", "five", "six", "seven", "eight"]) {
          expect(verify(utf8(words), forged, hex(key) as VerifyKey)).toBe(false)
        }
      }
    },
  )

  it("takes no signature by a key of another length", () => {
    const { secretKey, publicKey } = signKeyPair(systemRandom)
    const signature = sign(utf8("my prekey"), secretKey)
    for (const key of [publicKey.subarray(1), concat(publicKey, Uint8Array.of(0)), new Uint8Array()]) {
      expect(verify(utf8("my prekey"), signature, key as VerifyKey)).toBe(false)
    }
  })

  it.each(LOW_ORDER_X25519)("refuses key agreement with the point of low order %s", (point) => {
    const secret = systemRandom(32) as SecretKey
    const withHighBit = hex(point).with(31, (hex(point)[31] ?? 0) | 0x80)
    expect(agree(secret, hex(point) as PublicKey)).toBeUndefined()
    expect(agree(secret, withHighBit as PublicKey)).toBeUndefined()
  })

  it("uses the bytes of a key as they are now, not as they were", () => {
    const { publicKey } = boxKeyPair(systemRandom)
    const secret = systemRandom(32) as SecretKey
    const before = agree(secret, publicKey)
    secret.set(systemRandom(32))
    expect(agree(secret, publicKey)).not.toEqual(before)
    expect(agree(secret, publicKey)).toEqual(agree(secret.slice() as SecretKey, publicKey))
  })

  it("hashes parts of any size as if they were one", () => {
    for (const size of [0, 1, 111, 112, 127, 128, 129, 3968, 3969, 4096, 4097, 70_000]) {
      const bytes = systemRandom(size)
      const half = size >> 1
      const parts = [bytes.subarray(0, half), new Uint8Array(), bytes.subarray(half)]
      const key = systemRandom(33)
      expect(hash(...parts)).toEqual(hash(bytes))
      expect(hmac(key, ...parts)).toEqual(hmac(key, bytes))
    }
    expect(hash()).toEqual(hash(new Uint8Array()))
  })

  it("gives the first half of an HMAC as hmac32", () => {
    const key = systemRandom(32)
    for (const parts of [[], [utf8("one")], [utf8("one"), systemRandom(5000)]]) {
      expect(hmac32(key, concat(...parts))).toEqual(hmac(key, ...parts).slice(0, 32))
    }
  })

  it("leaves its inputs unchanged, and returns its own memory", () => {
    const key = systemRandom(32)
    const message = systemRandom(64)
    const [keyBefore, messageBefore] = [key.slice(), message.slice()]
    const [mac, digest] = [hmac(key, message), hash(message)]
    const [macBefore, digestBefore] = [mac.slice(), digest.slice()]
    hmac(systemRandom(32), systemRandom(300))
    hash(systemRandom(300))
    expect([key, message, mac, digest]).toEqual([keyBefore, messageBefore, macBefore, digestBefore])
  })
})

describe("the backends together", () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

  async function onEach<T>(compute: () => T): Promise<T[]> {
    const results = []
    for (const backend of BACKENDS) {
      await useBackend(backend)
      results.push(compute())
    }
    return results
  }

  function expectSame(results: readonly unknown[]): void {
    for (const result of results) expect(result).toEqual(results[0])
  }

  it("give identical bytes for any input", async () => {
    const input = fc.record({ secret: bytes(32), theirs: bytes(32), nonce: bytes(24), text: fc.uint8Array() })
    const property = fc.asyncProperty(input, async ({ secret, theirs, nonce, text }) => {
      const results = await onEach(() => ({
        agreed: agree(secret as SecretKey, theirs as PublicKey),
        publicKey: publicKeyOf(secret as SecretKey),
        box: seal(text, nonce, secret),
        opened: open(seal(text, nonce, secret), nonce, secret),
        signature: sign(text, secret as SigningKey),
        digest: hash(text, nonce),
        mac: hmac(secret, text, nonce),
        shortMac: hmac32(secret, concat(text, nonce)),
      }))
      expectSame(results.map((result) => JSON.stringify(result)))
    })
    await fc.assert(property, { numRuns: 30 })
  })

  it("open each other's boxes and verify each other's signatures in mid-conversation", async () => {
    const { secretKey, publicKey } = signKeyPair(systemRandom)
    const key = systemRandom(32)
    const nonce = systemRandom(24)
    await useBackend("sodium")
    const box = seal(utf8("hello"), nonce, key)
    await useBackend("tweetnacl")
    expect(open(box, nonce, key)).toEqual(new Uint8Array(utf8("hello")))
    const signature = sign(box, secretKey)
    await useBackend("node")
    expect(verify(box, signature, publicKey)).toBe(true)
  })
})

describe("the choice of a backend", () => {
  it("is the fastest that passes its self-test if none is named", async () => {
    expect(await useBackend()).toBe("sodium")
  })

  it("refuses a name it does not know, and keeps the one in use", async () => {
    await useBackend("node")
    await expect(useBackend("openssl")).rejects.toThrow(Fault)
    await expect(useBackend("")).rejects.toMatchObject({ code: "config" })
    expect(activeBackend()).toBe("node")
  })

  it.each([
    ["takes a zero agreement", { agree: () => new Uint8Array(32) }],
    ["opens anything", { open: (...given: Parameters<typeof node.open>) => node.open(...given) || true }],
    ["verifies anything", { verify: () => true }],
    ["hashes wrongly", { sha512: () => undefined }],
    ["authenticates wrongly", { auth: () => new Uint8Array(32) }],
    ["signs wrongly", { sign: () => new Uint8Array(64) }],
    [
      "seals wrongly",
      {
        seal: (box: Uint8Array, message: Uint8Array) => {
          box.set(message)
        },
      },
    ],
    [
      "falls over",
      {
        publicKeyOf: () => {
          throw new TypeError("no such curve")
        },
      },
    ],
  ])("would pass over a backend that %s", (_, fault) => {
    expect(passesSelfTest({ ...node, ...fault })).toBe(false)
    expect(passesSelfTest(node)).toBe(true)
  })
})
