import { concat, utf8, wipe } from "../crypto/bytes.ts"
import type { PublicKey, Random, SecretKey, SharedSecret, SigningKey } from "../crypto/bytes.ts"
import { kdf } from "../crypto/kdf.ts"
import { agree, boxKeyPair, open, seal, sign, verify } from "../crypto/nacl.ts"
import { BOX_OVERHEAD, KEY_BYTES, NONCE_BYTES, SIGNATURE_BYTES } from "../crypto/sizes.ts"
import { decode, Writer } from "./codec.ts"
import {
  decodeReply,
  decodeRequest,
  encodeReply,
  encodeRequest,
  type RegistrarReply,
  type RegistrationRequest,
} from "./registration.ts"

/** Every request and every answer has this size, so that the broker cannot tell one kind from another. */
export const REGISTRATION_BYTES = 1024
const REQUEST_PLAIN_BYTES = REGISTRATION_BYTES - KEY_BYTES - NONCE_BYTES - BOX_OVERHEAD
const ANSWER_PLAIN_BYTES = REGISTRATION_BYTES - NONCE_BYTES - BOX_OVERHEAD
const SIGN_LABEL = utf8("mqttchat/1 reg")
const REQUEST_LABEL = utf8("mqttchat/1 registration request")
const ANSWER_LABEL = utf8("mqttchat/1 registration answer")

/** What binds a request to one registrar and one topic. */
export type RegistrationTarget = {
  readonly registrar: PublicKey
  /** The id in the topic, 16 bytes. */
  readonly topicId: Uint8Array
}

export type SealedRequest = {
  /** 1024 bytes, the same at each repetition. */
  readonly payload: Uint8Array
  /** Opens the answer, or undefined for bytes that are not the registrar's answer to this request. */
  readonly openAnswer: (payload: Uint8Array) => RegistrarReply | undefined
}

/** Ephemeral key 32 | nonce 24 | box; undefined if the registrar's key is not a usable point, [R-3]. */
export function sealRequest(
  request: RegistrationRequest,
  target: RegistrationTarget,
  signSecret: SigningKey,
  random: Random,
): SealedRequest | undefined {
  const ephemeral = boxKeyPair(random)
  const shared = agree(ephemeral.secretKey, target.registrar)
  wipe(ephemeral.secretKey)
  if (shared === undefined) return undefined
  const fields = encodeRequest(request)
  const signature = sign(signed(target, ephemeral.publicKey, fields), signSecret)
  const plain = padded(new Writer().lv16(fields).bytes(signature).done(), REQUEST_PLAIN_BYTES)
  const keys = boxKeys(shared, ephemeral.publicKey, target.registrar)
  const nonce = random(NONCE_BYTES)
  return {
    payload: concat(ephemeral.publicKey, nonce, seal(plain, nonce, keys.request)),
    openAnswer: (payload) => readAnswer(payload, keys.answer),
  }
}

export type OpenedRequest = {
  readonly request: RegistrationRequest
  /** 1024 bytes that only the sender of the request can open. */
  readonly sealAnswer: (reply: RegistrarReply, random: Random) => Uint8Array
}

/** Undefined unless the box opens, the padding is zero and the signature holds for this registrar and topic. */
export function openRequest(
  payload: Uint8Array,
  target: RegistrationTarget,
  secret: SecretKey,
): OpenedRequest | undefined {
  if (payload.length !== REGISTRATION_BYTES) return undefined
  const ephemeral = payload.slice(0, KEY_BYTES) as PublicKey
  const nonce = payload.subarray(KEY_BYTES, KEY_BYTES + NONCE_BYTES)
  const shared = agree(secret, ephemeral)
  if (shared === undefined) return undefined
  const keys = boxKeys(shared, ephemeral, target.registrar)
  const plain = open(payload.subarray(KEY_BYTES + NONCE_BYTES), nonce, keys.request)
  const parts = plain === undefined ? undefined : decode(plain, readSigned)
  if (parts === undefined) return undefined
  const request = decodeRequest(parts.fields)
  if (request === undefined) return undefined
  if (!verify(signed(target, ephemeral, parts.fields), parts.signature, request.sign)) return undefined
  return {
    request,
    sealAnswer: (reply, random) => {
      const answerNonce = random(NONCE_BYTES)
      const body = padded(new Writer().lv16(encodeReply(reply)).done(), ANSWER_PLAIN_BYTES)
      return concat(answerNonce, seal(body, answerNonce, keys.answer))
    },
  }
}

function readAnswer(payload: Uint8Array, key: Uint8Array): RegistrarReply | undefined {
  if (payload.length !== REGISTRATION_BYTES) return undefined
  const plain = open(payload.subarray(NONCE_BYTES), payload.subarray(0, NONCE_BYTES), key)
  const body =
    plain === undefined
      ? undefined
      : decode(plain, (reader) => zerosAfter(reader.lv16(ANSWER_PLAIN_BYTES), reader.rest()))
  return body === undefined ? undefined : decodeReply(body)
}

function readSigned(reader: Parameters<Parameters<typeof decode>[1]>[0]) {
  const fields = reader.lv16(REQUEST_PLAIN_BYTES)
  const signature = reader.bytes(SIGNATURE_BYTES)
  return zerosAfter({ fields, signature }, reader.rest())
}

function zerosAfter<T>(value: T, rest: Uint8Array): T | undefined {
  return rest.every((byte) => byte === 0) ? value : undefined
}

function signed(
  { registrar, topicId }: RegistrationTarget,
  ephemeral: PublicKey,
  fields: Uint8Array,
): Uint8Array {
  return concat(SIGN_LABEL, registrar, topicId, ephemeral, fields)
}

function boxKeys(shared: SharedSecret, ephemeral: PublicKey, registrar: PublicKey) {
  const salt = concat(ephemeral, registrar)
  const request = kdf(salt, shared, REQUEST_LABEL, KEY_BYTES)
  const answer = kdf(salt, shared, ANSWER_LABEL, KEY_BYTES)
  wipe(shared)
  return { request, answer }
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length)
  whole.set(bytes)
  return whole
}
