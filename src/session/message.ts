import { equal, utf8, wipe } from "../crypto/bytes.ts"
import type { BoxKey, HeaderKey, MessageKey, PublicKey } from "../crypto/bytes.ts"
import { hash, hmac, openInto, sealInto } from "../crypto/nacl.ts"
import { BOX_OVERHEAD, KEY_BYTES, NONCE_BYTES } from "../crypto/sizes.ts"
import { BUCKETS, MESSAGE_OVERHEAD } from "../wire/padding.ts"
import { TAG_BYTES, MID_BYTES } from "../wire/sizes.ts"

/** A chain ends here and waits for the peer's answer, so that no key outlives a long silence [S-30]. */
export const CHAIN_MAX = 65_535
const KEM_ID_MAX = 0xffff
const HEADER_BYTES = 44
const SEALED_HEADER_AT = TAG_BYTES + NONCE_BYTES
const BODY_AT = SEALED_HEADER_AT + HEADER_BYTES + BOX_OVERHEAD

/**
 * Scratch buffers, zero except while a message is opened: an allocation for each message would cost as much as decryption.
 * The header's is part of a larger one, since V8 moves an array of up to 64 bytes when native code first sees it.
 */
const headerArea = new Uint8Array(128).subarray(0, HEADER_BYTES)
const bodyArea = new Uint8Array(Math.max(...BUCKETS) - MESSAGE_OVERHEAD)

const SIV = utf8("mqttchat/1 siv")
const MID = utf8("mqttchat/1 mid")

/** A message's position in the conversation, visible only to the two ends [S-25]. */
export type Header = {
  readonly ratchetKey: PublicKey
  /** Length of the sender's chain before this one. */
  readonly previous: number
  /** Number of the message in its chain. */
  readonly n: number
  /** Id of the post-quantum step mixed into the chain, or 0. */
  readonly kem: number
}

/** A header that was opened, with its 44 plaintext bytes. */
export type SealedHeader = Header & { readonly plain: Uint8Array }

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
 * The message id, 16 bytes, of a session message: a hash of its tag and synthetic nonce, which anyone who holds the bytes
 * can compute [S-27].
 */
export function messageId(wire: Uint8Array): Uint8Array {
  return hash(MID, wire.subarray(0, SEALED_HEADER_AT)).slice(0, MID_BYTES)
}

/**
 * Makes a message of `wire`, a bucket long, whose last part is the padded frames: tag 16 | v 24 | sealed header 60 | sealed
 * body. All is sealed in place. The synthetic nonce v is a keyed hash of the whole message [S-26].
 */
export function sealMessage(wire: Uint8Array, keys: Keys, tag: Uint8Array, header: Header): void {
  const plain = wire.subarray(SEALED_HEADER_AT + BOX_OVERHEAD, BODY_AT)
  const padded = wire.subarray(MESSAGE_OVERHEAD)
  writeHeader(plain, header)
  const v = syntheticNonce(keys, tag, plain, padded)
  wire.set(tag)
  wire.set(v, TAG_BYTES)
  sealInto(wire.subarray(SEALED_HEADER_AT, BODY_AT), plain, v, keys.headerKey)
  const key = encryptionKey(keys.messageKey)
  sealInto(wire.subarray(BODY_AT), padded, v, key)
  wipe(key)
}

/** The header, if it was sealed under `headerKey` and is encoded as in [S-25]. */
export function openHeader(wire: Uint8Array, headerKey: HeaderKey): SealedHeader | undefined {
  const opened = openInto(headerArea, wire.subarray(SEALED_HEADER_AT, BODY_AT), nonceOf(wire), headerKey)
  const header = opened ? decodeHeader(headerArea.slice()) : undefined
  wipe(headerArea)
  return header
}

/**
 * The result of `read` for the padded frames, or undefined unless body, header, tag and transcript are those that the
 * synthetic nonce commits to [S-26]. The bytes passed to `read` are wiped when it returns.
 */
export function openBody<T>(
  wire: Uint8Array,
  keys: Keys,
  header: SealedHeader,
  read: (padded: Uint8Array) => T,
): T | undefined {
  const v = nonceOf(wire)
  const key = encryptionKey(keys.messageKey)
  const padded = bodyArea.subarray(0, wire.length - MESSAGE_OVERHEAD)
  const genuine =
    openInto(padded, wire.subarray(BODY_AT), v, key) &&
    equal(syntheticNonce(keys, wire.subarray(0, TAG_BYTES), header.plain, padded), v)
  const value = genuine ? read(padded) : undefined
  wipe(key, padded)
  return value
}

function nonceOf(wire: Uint8Array): Uint8Array {
  return wire.subarray(TAG_BYTES, SEALED_HEADER_AT)
}

// Copies, not views: a view of a small array makes V8 move it, which costs ten times as much as a copy.
function encryptionKey(messageKey: MessageKey): BoxKey {
  return messageKey.slice(0, KEY_BYTES) as BoxKey
}

function syntheticNonce(keys: Keys, tag: Uint8Array, header: Uint8Array, padded: Uint8Array): Uint8Array {
  const authenticationKey = keys.messageKey.slice(KEY_BYTES)
  const v = hmac(authenticationKey, SIV, keys.transcript, tag, header, padded).slice(0, NONCE_BYTES)
  wipe(authenticationKey)
  return v
}

/** The 44 bytes of a header [S-25]. */
export function encodeHeader(header: Header): Uint8Array {
  const plain = new Uint8Array(HEADER_BYTES)
  writeHeader(plain, header)
  return plain
}

function writeHeader(plain: Uint8Array, header: Header): void {
  plain.set(header.ratchetKey)
  writeNumber(plain, 32, header.previous)
  writeNumber(plain, 36, header.n)
  writeNumber(plain, 40, header.kem)
}

function decodeHeader(plain: Uint8Array): SealedHeader | undefined {
  const previous = readNumber(plain, 32)
  const n = readNumber(plain, 36)
  const kem = readNumber(plain, 40)
  if (previous > CHAIN_MAX || n >= CHAIN_MAX || kem > KEM_ID_MAX) return undefined
  return { ratchetKey: plain.slice(0, 32) as PublicKey, previous, n, kem, plain }
}

/** A u32; the id of a step is a u16, and fills one with the zeros after it. */
function writeNumber(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff
  bytes[at + 1] = (value >> 8) & 0xff
  bytes[at + 2] = (value >> 16) & 0xff
  bytes[at + 3] = value >>> 24
}

function readNumber(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
  const high = (bytes[at + 2] ?? 0) | ((bytes[at + 3] ?? 0) << 8)
  return low + high * 0x10000
}
