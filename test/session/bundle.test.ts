import { expect, test } from "vitest"
import { concat, fromHex, utf8 } from "../../src/crypto/bytes.ts"
import { sign } from "../../src/crypto/nacl.ts"
import {
  decodeOpenBundle,
  encodeOpenBundle,
  makeBundle,
  isEarlierBundle,
  readBundle,
} from "../../src/session/bundle.ts"
import { BUNDLE_BYTES } from "../../src/wire/sizes.ts"
import { SMALL_ORDER_ED25519, SMALL_ORDER_ED25519_SPELT_OTHERWISE } from "../crypto/published.ts"
import { bundleOf, flipped, inbox, NOW, newIdentity, seededRandom, TOMORROW } from "./session-fixture.ts"

const random = seededRandom("bundle")
const bob = newIdentity(random)

test("[S-2] Alice reads Bob's bundle as Bob wrote it", () => {
  const terms = { multiUse: true, recovery: false, inbox: inbox(random), notAfter: TOMORROW }
  const { bundle } = makeBundle(bob, terms, random)
  expect(bundle.bytes).toHaveLength(BUNDLE_BYTES)
  const read = readBundle(bundle.bytes, NOW)!
  expect(read).toEqual(bundle)
  expect(read).toMatchObject({ ...terms, owner: bob.public })
})

test("[S-2] flags mean multi-use and recovery, and no other bit may be set", () => {
  for (const [flags, multiUse, recovery] of [
    [0, false, false],
    [1, true, false],
    [2, false, true],
  ] as const) {
    const { bundle } = makeBundle(
      bob,
      { multiUse, recovery, inbox: inbox(random), notAfter: TOMORROW },
      random,
    )
    expect(bundle.bytes[1]).toBe(flags)
  }
})

/** A bundle that Bob himself signs after changing one byte. */
function resigned(at: number, value: number): Uint8Array {
  const bytes = new Uint8Array(bundleOf(bob, random).bundle.bytes).subarray(0, BUNDLE_BYTES - 64)
  bytes[at] = value
  return concat(bytes, sign(concat(utf8("mqttchat/1 bundle"), bytes), bob.signSecret))
}

test("[S-3] another version, unknown flags and another length are refused, well signed or not", () => {
  expect(readBundle(resigned(0, 2), NOW)).toBeDefined()
  for (const version of [0, 1, 3]) expect(readBundle(resigned(0, version), NOW)).toBeUndefined()
  const versions = [0, 1, 2, 3].filter((version) => isEarlierBundle(resigned(0, version)))
  expect(versions).toEqual([1])
  expect(readBundle(resigned(1, 4), NOW)).toBeUndefined()
  expect(readBundle(resigned(0, 2).subarray(0, BUNDLE_BYTES - 1), NOW)).toBeUndefined()
  expect(readBundle(concat(resigned(0, 2), Uint8Array.of(0)), NOW)).toBeUndefined()
  expect(readBundle(new Uint8Array(0), NOW)).toBeUndefined()
})

test("[S-3] one changed bit anywhere and the signature does not verify", () => {
  const { bytes } = bundleOf(bob, random).bundle
  for (let at = 0; at < BUNDLE_BYTES; at += 7) {
    expect(readBundle(flipped(bytes, at * 8 + (at % 8)), NOW)).toBeUndefined()
  }
})

test.each([...SMALL_ORDER_ED25519, ...SMALL_ORDER_ED25519_SPELT_OTHERWISE])(
  "[S-1] [S-3] a bundle whose owner has the signing key of small order %s is refused",
  (point) => {
    const unsigned = new Uint8Array(bundleOf(bob, random).bundle.bytes.subarray(0, BUNDLE_BYTES - 64))
    unsigned.set(fromHex(point), 2)
    for (const first of SMALL_ORDER_ED25519) {
      expect(readBundle(concat(unsigned, fromHex(first), new Uint8Array(32)), NOW)).toBeUndefined()
    }
  },
)

test("[S-3] a bundle is valid until its notAfter and not a second longer", () => {
  const { bytes } = bundleOf(bob, random).bundle
  expect(readBundle(bytes, TOMORROW)).toBeDefined()
  expect(readBundle(bytes, TOMORROW + 1)).toBeUndefined()
})

test("no two bundles are alike, so that the hash of one cannot be guessed", () => {
  expect(bundleOf(bob, random).bundle.hash).not.toEqual(bundleOf(bob, random).bundle.hash)
})

test("Bob keeps a bundle with its secrets, and finds them again", () => {
  const own = bundleOf(bob, random)
  const stored = encodeOpenBundle(own)
  expect(decodeOpenBundle(stored)).toEqual(own)
  expect(decodeOpenBundle(stored.subarray(1))).toBeUndefined()
  expect(decodeOpenBundle(concat(stored, Uint8Array.of(0)))).toBeUndefined()
})

test("a bundle does not change with the buffer it was read from", () => {
  const bytes = new Uint8Array(bundleOf(bob, random).bundle.bytes)
  const read = readBundle(bytes, NOW)!
  bytes.fill(0)
  expect(readBundle(read.bytes, NOW)).toEqual(read)
})
