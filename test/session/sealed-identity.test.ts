import { expect, test } from "vitest"
import { concat, fromHex, utf8, wipe, type VerifyKey } from "../../src/crypto/bytes.ts"
import { expand } from "../../src/crypto/kdf.ts"
import { encapsulate } from "../../src/crypto/mlkem.ts"
import { agree, boxKeyPair, hash, hmac, seal as sealBox } from "../../src/crypto/nacl.ts"
import type { OpenBundle } from "../../src/session/bundle.ts"
import { initTag, linkPsk, MODE, respond } from "../../src/session/handshake.ts"
import { seal } from "../../src/session/ratchet.ts"
import { startInitiator } from "../../src/session/start.ts"
import { encodeIdentity, type IdentityKeys } from "../../src/wire/identity.ts"
import { SMALL_ORDER_ED25519, SMALL_ORDER_ED25519_SPELT_OTHERWISE } from "../crypto/published.ts"
import { bundleOf, hello, newIdentity, seededRandom } from "./session-fixture.ts"

const random = seededRandom("sealed identity")
const bob = newIdentity(random)
const ZEROS = new Uint8Array(16)

/** An INIT by steps of [S-12], so that Mallory can write what she likes after her inbox. */
function initBy(mallory: IdentityKeys, own: OpenBundle, after: Uint8Array): Uint8Array {
  const { bundle } = own
  const psk = linkPsk(bundle.hash)
  const ephemeral = boxKeyPair(random)
  const { ciphertext, secret } = encapsulate(bundle.encapsulationKey, random)!
  const dh2 = agree(ephemeral.secretKey, bundle.owner.box)!
  const dh3 = agree(ephemeral.secretKey, bundle.prekey)!
  const dh1 = agree(mallory.boxSecret, bundle.prekey)!
  const label = utf8("mqttchat/1 hs1")
  const th1 = hash(label, Uint8Array.of(MODE.link), bundle.bytes, ephemeral.publicKey, ciphertext)
  const prk = hmac(psk, dh2, dh3, secret)
  const key = expand(prk, concat(utf8("mqttchat/1 id"), th1), 32)
  const plain = concat(encodeIdentity(mallory.public), random(32), after)
  const sealedIdentity = sealBox(plain, new Uint8Array(24), key)
  const th2 = hash(utf8("mqttchat/1 hs2"), th1, sealedIdentity)
  const keys = expand(hmac(prk, dh1), concat(utf8("mqttchat/1 session"), th2), 160)
  const part = (index: number) => keys.slice(index * 32, index * 32 + 32)
  const agreed = {
    transcript: th2.slice(0, 32),
    root: part(0),
    initiatorHeaderKey: part(1),
    responderHeaderKey: part(2),
  }
  const session = startInitiator(agreed as Parameters<typeof startInitiator>[0], bundle.prekey, random)!
  const first = seal(session, [hello("Mallory", mallory, random)], random)
  if (first.kind === "refused") throw new Error(first.why)
  wipe(keys, prk)
  const tag = initTag(psk, bundle.hash)
  return concat(tag, ephemeral.publicKey, ciphertext, sealedIdentity, first.wire, random(784))
}

function answerTo(own: OpenBundle, init: Uint8Array) {
  return respond({ identity: bob, open: own, psk: linkPsk(own.bundle.hash), mode: MODE.link }, init)
}

test("[S-12] the zeros after the inbox are zero: an INIT with any other byte there is refused", () => {
  const mallory = newIdentity(random)
  const own = bundleOf(bob, random)
  expect(answerTo(own, initBy(mallory, own, ZEROS)).kind).toBe("accepted")
  for (let at = 0; at < ZEROS.length; at++) {
    for (const value of [1, 0x80]) {
      const init = initBy(mallory, own, ZEROS.with(at, value))
      expect(answerTo(own, init)).toEqual({ kind: "refused", why: "forged" })
    }
  }
})

test.each([...SMALL_ORDER_ED25519, ...SMALL_ORDER_ED25519_SPELT_OTHERWISE])(
  "[S-13] an INIT by someone whose signing key is the point of small order %s is refused",
  (point) => {
    const mallory = newIdentity(random)
    const weak = { ...mallory, public: { ...mallory.public, sign: fromHex(point) as VerifyKey } }
    const own = bundleOf(bob, random)
    expect(answerTo(own, initBy(weak, own, ZEROS))).toEqual({ kind: "refused", why: "weak-key" })
  },
)
