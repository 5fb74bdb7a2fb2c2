import { equal, utf8 } from "../crypto/bytes.ts"
import type { BoxKey, HeaderKey, MessageKey, PublicKey } from "../crypto/bytes.ts"
import { hash, hmac, open, seal } from "../crypto/nacl.ts"
import { BUCKETS, MESSAGE_OVERHEAD } from "../wire/frame.ts"
import { TAG_BYTES } from "./chain.ts"

/** A chain ends here and waits for the peer's answer, so that no key outlives a long silence [S-30]. */
export const CHAIN_MAX = 65_535
const NONCE_BYTES = 24
const KEY_BYTES = 32
const BOX_TAG_BYTES = 16
const HEADER_BYTES = 44
const SEALED_HEADER_AT = TAG_BYTES + NONCE_BYTES
const BODY_AT = SEALED_HEADER_AT + HEADER_BYTES + BOX_TAG_BYTES
/** Long enough to name a message for good; its first 8 bytes name it on the wire. */
const MID_BYTES = 16

const SIV = utf8("mqttchat/1 siv")
const MID = utf8("mqttchat/1 mid")

/** What only the two ends see of a message's place in the conversation [S-25]. */
export type Header = {
  readonly ratchetKey: PublicKey
  /** Length of the sender's chain before this one. */
  readonly previous: number
  /** Number of the message in its chain. */
  readonly n: number
  /** Id of the post-quantum step mixed into the chain, or 0. */
  readonly kem: number
}

export type Keys = {
  readonly transcript: Uint8Array
  readonly headerKey: HeaderKey
  readonly messageKey: MessageKey
}

/** True for the length of a session message. */
export function isBucket(length: number): boolean {
  return BUCKETS.some((bucket) => bucket === length)
}

/**
 * The message id, 16 bytes, of a session message: a hash of its tag and synthetic nonce, which anybody who holds the bytes
 * can compute [S-27].
 */
export function messageId(wire: Uint8Array): Uint8Array {
  return hash(MID, wire.subarray(0, SEALED_HEADER_AT)).slice(0, MID_BYTES)
}

/** tag 16 | v 24 | sealed header 60 | sealed body: the synthetic nonce v is a keyed hash of all that is said [S-26]. */
export function sealMessage(keys: Keys, tag: Uint8Array, header: Header, padded: Uint8Array): Uint8Array {
  const plain = encodeHeader(header)
  const v = syntheticNonce(keys, tag, plain, padded)
  const wire = new Uint8Array(padded.length + MESSAGE_OVERHEAD)
  wire.set(tag)
  wire.set(v, TAG_BYTES)
  wire.set(seal(plain, v, keys.headerKey), SEALED_HEADER_AT)
  wire.set(seal(padded, v, encryptionKey(keys.messageKey)), BODY_AT)
  return wire
}

/** The header, if it was sealed under `headerKey` and is written as [S-25] says. */
export function openHeader(wire: Uint8Array, headerKey: HeaderKey): Header | undefined {
  const plain = open(wire.subarray(SEALED_HEADER_AT, BODY_AT), nonceOf(wire), headerKey)
  return plain === undefined ? undefined : decodeHeader(plain)
}

/** The padded frames, if body, header, tag and transcript are those that the synthetic nonce commits to [S-26]. */
export function openBody(wire: Uint8Array, keys: Keys, header: Header): Uint8Array | undefined {
  const v = nonceOf(wire)
  const padded = open(wire.subarray(BODY_AT), v, encryptionKey(keys.messageKey))
  if (padded === undefined) return undefined
  const expected = syntheticNonce(keys, wire.subarray(0, TAG_BYTES), encodeHeader(header), padded)
  return equal(expected, v) ? padded : undefined
}

function nonceOf(wire: Uint8Array): Uint8Array {
  return wire.subarray(TAG_BYTES, SEALED_HEADER_AT)
}

function encryptionKey(messageKey: MessageKey): BoxKey {
  return messageKey.subarray(0, KEY_BYTES) as BoxKey
}

function syntheticNonce(keys: Keys, tag: Uint8Array, header: Uint8Array, padded: Uint8Array): Uint8Array {
  const authenticationKey = keys.messageKey.subarray(KEY_BYTES)
  return hmac(authenticationKey, SIV, keys.transcript, tag, header, padded).subarray(0, NONCE_BYTES)
}

function encodeHeader(header: Header): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES)
  bytes.set(header.ratchetKey)
  bytes.writeUInt32LE(header.previous, 32)
  bytes.writeUInt32LE(header.n, 36)
  bytes.writeUInt16LE(header.kem, 40)
  return bytes
}

function decodeHeader(bytes: Uint8Array): Header | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const header = {
    ratchetKey: new Uint8Array(view.subarray(0, 32)) as PublicKey,
    previous: view.readUInt32LE(32),
    n: view.readUInt32LE(36),
    kem: view.readUInt16LE(40),
  }
  const possible = header.previous <= CHAIN_MAX && header.n < CHAIN_MAX && view.readUInt16LE(42) === 0
  return possible ? header : undefined
}
