import fc from "fast-check"
import { expect, test } from "vitest"
import {
  concat,
  fromHex,
  toHex,
  utf8,
  type PublicKey,
  type SecretKey,
  type VerifyKey,
} from "../../src/crypto/bytes.ts"
import { kdf } from "../../src/crypto/kdf.ts"
import { agree, boxKeyPair, publicKeyOf, seal, sign, signKeyPair } from "../../src/crypto/nacl.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { Writer } from "../../src/wire/codec.ts"
import {
  decodeReply,
  decodeInvitation,
  decodeRequest,
  encodeReply,
  encodeInvitation,
  encodeRequest,
  REFUSALS,
  type RegistrarReply,
  type RegistrationAnswer,
  type RegistrationRequest,
} from "../../src/wire/registration.ts"
import { openRequest, REGISTRATION_BYTES, sealRequest } from "../../src/wire/registration-box.ts"
import { SMALL_ORDER_ED25519, SMALL_ORDER_ED25519_SPELT_OTHERWISE } from "../crypto/published.ts"
import { registrationVectors } from "./registration-vectors.ts"
import frozen from "../vectors/registration.json" with { type: "json" }

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const key = <K extends Uint8Array>() => bytes(32).map((value) => value as K)
const csr = fc.uint8Array({ maxLength: 512 })
const deviceName = fc.string({ unit: "grapheme", maxLength: 12 }).filter((name) => utf8(name).length <= 64)

const known = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const requests: fc.Arbitrary<RegistrationRequest> = fc.oneof(
  fc.record({
    kind: fc.constant("join"),
    known,
    user: bytes(16),
    secret: bytes(16),
    sign: key<VerifyKey>(),
    deviceName,
    csr,
  }),
  fc.record({ kind: fc.constant("invite"), known, device: bytes(16), sign: key<VerifyKey>() }),
  fc.record({ kind: fc.constant("renew"), known, device: bytes(16), sign: key<VerifyKey>(), csr }),
  fc.record({
    kind: fc.constant("restore"),
    known,
    sign: key<VerifyKey>(),
    askedAt: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    deviceName,
    csr,
  }),
  fc.record({ kind: fc.constant("head"), known, sign: key<VerifyKey>() }),
)
const answers: fc.Arbitrary<RegistrationAnswer> = fc.oneof(
  fc.record({
    kind: fc.constant("admitted"),
    user: bytes(16),
    certificate: fc.uint8Array({ maxLength: 800 }),
  }),
  fc.record({ kind: fc.constant("invited"), invitation: bytes(72) }),
  fc.record({ kind: fc.constant("refused"), why: fc.constantFrom(...REFUSALS) }),
  fc.record({ kind: fc.constant("replaced"), at: fc.nat({ max: Number.MAX_SAFE_INTEGER }) }),
  fc.constant({ kind: "head" as const }),
)
const ledger = fc.option(fc.record({ number: known, link: bytes(32), linkAtKnown: bytes(32) }), {
  nil: undefined,
})
const replies: fc.Arbitrary<RegistrarReply> = fc.record({ answer: answers, ledger })

test("invitations, requests and answers read back unchanged [R-1] [R-3] [R-4]", () => {
  const expiresAt = fc.nat({ max: Number.MAX_SAFE_INTEGER })
  const invitations = fc.record({
    user: bytes(16),
    secret: bytes(16),
    registrar: key<PublicKey>(),
    expiresAt,
  })
  const survives = <T>(
    of: fc.Arbitrary<T>,
    encode: (it: T) => Uint8Array,
    decode: (it: Uint8Array) => unknown,
  ) => {
    const check = (it: T) => {
      expect(decode(encode(it))).toEqual(it)
    }
    fc.assert(fc.property(of, check), { numRuns: 200 })
  }
  survives(invitations, encodeInvitation, decodeInvitation)
  survives(requests, encodeRequest, decodeRequest)
  survives(replies, encodeReply, decodeReply)
})

test("bytes that decode encode to the same bytes [W-2]", () => {
  const spoil = fc
    .tuple(requests.map(encodeRequest), fc.nat(), fc.nat({ max: 255 }))
    .map(([it, at, value]) => {
      const spoilt = Uint8Array.from(it)
      spoilt[at % it.length] = value
      return spoilt
    })
  fc.assert(
    fc.property(fc.oneof(spoil, fc.uint8Array({ maxLength: 200 })), (it) => {
      const request = decodeRequest(it)
      if (request !== undefined) expect(encodeRequest(request)).toEqual(it)
      const reply = decodeReply(it)
      if (reply !== undefined) expect(encodeReply(reply)).toEqual(it)
      const invitation = decodeInvitation(it)
      if (invitation !== undefined) expect(encodeInvitation(invitation)).toEqual(it)
    }),
    { numRuns: 1000 },
  )
})

const alice = signKeyPair(systemRandom)
const registrar = boxKeyPair(systemRandom)
const target = { registrar: registrar.publicKey, topicId: systemRandom(16) }
const INVITE: RegistrationRequest = {
  kind: "invite",
  known: 0,
  device: systemRandom(16),
  sign: alice.publicKey,
}

function sealed() {
  return sealRequest(INVITE, target, alice.secretKey, systemRandom)!
}

test("the registrar reads what a device sealed, and the device reads its answer; both have 1024 bytes [R-2]", () => {
  fc.assert(
    fc.property(requests, replies, (asked, answered) => {
      const request = { ...asked, sign: alice.publicKey }
      const { payload, openAnswer } = sealRequest(request, target, alice.secretKey, systemRandom)!
      expect(payload).toHaveLength(REGISTRATION_BYTES)
      const opened = openRequest(payload, target, registrar.secretKey)!
      expect(opened.request).toEqual(request)
      const answer = opened.sealAnswer(answered, systemRandom)
      expect(answer).toHaveLength(REGISTRATION_BYTES)
      expect(openAnswer(answer)).toEqual(answered)
    }),
    { numRuns: 50 },
  )
})

test("a request with one changed byte, or of another length, is dropped [R-3]", () => {
  const { payload } = sealed()
  for (let at = 0; at < payload.length; at += 9) {
    const changed = Uint8Array.from(payload)
    changed[at]! ^= 0x10
    expect(openRequest(changed, target, registrar.secretKey)).toBeUndefined()
  }
  expect(openRequest(payload.subarray(1), target, registrar.secretKey)).toBeUndefined()
  expect(openRequest(concat(payload, Uint8Array.of(0)), target, registrar.secretKey)).toBeUndefined()
})

test("a request for one topic or registrar is refused at another [R-3]", () => {
  const { payload } = sealed()
  const other = boxKeyPair(systemRandom)
  expect(openRequest(payload, { ...target, topicId: systemRandom(16) }, registrar.secretKey)).toBeUndefined()
  expect(openRequest(payload, { ...target, registrar: other.publicKey }, other.secretKey)).toBeUndefined()
})

/** A request that Mallory can make, with her own padding and signature. */
function forge(fields: Uint8Array, signature: Uint8Array, padding: number): Uint8Array {
  const mallory = boxKeyPair(systemRandom)
  const shared = agree(mallory.secretKey, registrar.publicKey)!
  const salt = concat(mallory.publicKey, registrar.publicKey)
  const boxKey = kdf(salt, shared, utf8("mqttchat/1 registration request"), 32)
  const signed = sign(
    concat(utf8("mqttchat/1 reg"), registrar.publicKey, target.topicId, mallory.publicKey, fields),
    alice.secretKey,
  )
  const plain = new Uint8Array(952).fill(padding)
  plain.set(
    new Writer()
      .lv16(fields)
      .bytes(signature.length === 0 ? signed : signature)
      .done(),
  )
  const nonce = systemRandom(24)
  return concat(mallory.publicKey, nonce, seal(plain, nonce, boxKey))
}

test("a request whose padding is not zeros, or whose signature has another key, is dropped [R-3]", () => {
  const fields = encodeRequest(INVITE)
  const byMallory = sign(fields, signKeyPair(systemRandom).secretKey)
  const open = (payload: Uint8Array) => openRequest(payload, target, registrar.secretKey)
  expect(open(forge(fields, new Uint8Array(), 0))?.request).toEqual(INVITE)
  expect(open(forge(fields, new Uint8Array(), 1))).toBeUndefined()
  expect(open(forge(fields, byMallory, 0))).toBeUndefined()
  expect(open(forge(concat(fields, Uint8Array.of(0)), new Uint8Array(), 0))).toBeUndefined()
})

test.each([...SMALL_ORDER_ED25519, ...SMALL_ORDER_ED25519_SPELT_OTHERWISE])(
  "a request signed by the key of small order %s, which anyone can do, is dropped [R-3] [S-1]",
  (point) => {
    const fields = encodeRequest({ ...INVITE, sign: fromHex(point) as VerifyKey })
    for (const first of SMALL_ORDER_ED25519) {
      const forged = concat(fromHex(first), new Uint8Array(32))
      expect(openRequest(forge(fields, forged, 0), target, registrar.secretKey)).toBeUndefined()
    }
  },
)

test("an answer that was changed, or was for another device, is ignored [R-2]", () => {
  const mine = sealed()
  const theirs = sealed()
  const answered = (payload: Uint8Array) =>
    openRequest(payload, target, registrar.secretKey)!.sealAnswer(
      { answer: { kind: "refused", why: "too-many" }, ledger: undefined },
      systemRandom,
    )
  const answer = answered(mine.payload)
  expect(mine.openAnswer(answered(theirs.payload))).toBeUndefined()
  expect(mine.openAnswer(mine.payload)).toBeUndefined()
  for (let at = 0; at < answer.length; at += 9) {
    const changed = Uint8Array.from(answer)
    changed[at]! ^= 1
    expect(mine.openAnswer(changed)).toBeUndefined()
  }
  expect(mine.openAnswer(answer)?.answer).toEqual({ kind: "refused", why: "too-many" })
})

test("an invitation whose registrar key is of low order seals nothing", () => {
  const zero = { ...target, registrar: new Uint8Array(32) as PublicKey }
  expect(sealRequest(INVITE, zero, alice.secretKey, systemRandom)).toBeUndefined()
})

test("a restore request and the answers are written as the frozen bytes [R-3] [R-4] [R-14] [R-16]", () => {
  expect(registrationVectors()).toEqual(frozen)
  const { registrarSecret, topicId } = frozen
  const secret = fromHex(registrarSecret) as SecretKey
  const at = { registrar: publicKeyOf(secret), topicId: fromHex(topicId) }
  const opened = openRequest(fromHex(frozen.request.sealed), at, secret)
  expect(toHex(encodeRequest(opened!.request))).toBe(frozen.request.fields)
})
