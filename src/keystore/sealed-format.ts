import { withinBounds, type Argon2Cost } from "../crypto/argon2.ts"
import { concat, equal, utf8, wipe, type BoxKey, type Random } from "../crypto/bytes.ts"
import { hash32, kdf } from "../crypto/kdf.ts"
import { open, seal } from "../crypto/nacl.ts"
import { BOX_OVERHEAD, NONCE_BYTES } from "../crypto/sizes.ts"
import { decode, Writer, type Reader } from "../wire/codec.ts"

/*
 * A sealed file is `header 60 | secretbox of the contents | checksum 32` [K-1]. The box key is HKDF over the
 * passphrase's key with the whole header as info, so every byte of the header is authenticated, and since each write
 * has a new nonce it has a new box key too [K-3]. The checksum has no key. It tells damage from a wrong passphrase,
 * before the user is asked for one [K-4].
 */
const MAGIC = utf8("mqttchat")
const HEADER_BYTES = 60
export const SALT_BYTES = 16
const CHECKSUM_BYTES = 32
/** The length of a file without contents. */
export const MIN_BYTES = HEADER_BYTES + BOX_OVERHEAD + CHECKSUM_BYTES
/** Keys and certificates are a few kB; a larger file is not ours. */
export const CONTENTS_MAX = 262_144
export const SEALED_MAX = MIN_BYTES + CONTENTS_MAX
/** The purpose of a file; one kind is never accepted as another. */
export const PURPOSE = { identity: 1, registrar: 2, backup: 3, broker: 4 } as const
type Purpose = (typeof PURPOSE)[keyof typeof PURPOSE]
/** Of what a file of this purpose holds, in front of it: a reader knows it without the passphrase. */
const VERSION: Readonly<Record<Purpose, number>> = { 1: 1, 2: 1, 3: 2, 4: 1 }
const KEY_LABEL = utf8("mqttchat/1 sealed file")
const CHECKSUM_LABEL = utf8("mqttchat/1 sealed file checksum")

/** How a passphrase becomes a key. An empty one is not derived, since the cost would protect nothing. */
export type PassphraseLock =
  | { readonly kind: "none" }
  | { readonly kind: "argon2id"; readonly cost: Argon2Cost; readonly salt: Uint8Array }

const NO_LOCK = { cost: { memoryKiB: 0, iterations: 0, parallelism: 0 }, salt: new Uint8Array(SALT_BYTES) }

export type Header = { readonly purpose: Purpose; readonly lock: PassphraseLock; readonly nonce: Uint8Array }

export type Sealed = {
  readonly header: Header
  readonly headerBytes: Uint8Array
  readonly box: Uint8Array
}

/** The bytes of a file. `lock` derives `key` (32 bytes) from the passphrase. */
export function sealContents(
  { purpose, lock }: Pick<Header, "purpose" | "lock">,
  key: BoxKey,
  contents: Uint8Array,
  random: Random,
): Uint8Array {
  const nonce = random(NONCE_BYTES)
  const header = encodeHeader({ purpose, lock, nonce })
  const boxKey = boxKeyOf(key, header)
  const file = concat(header, seal(contents, nonce, boxKey))
  wipe(boxKey)
  return concat(file, hash32(CHECKSUM_LABEL, file))
}

/** The parts of a file, or undefined if it is foreign or was changed. */
export function readSealed(bytes: Uint8Array): Sealed | undefined {
  if (bytes.length < MIN_BYTES || bytes.length > SEALED_MAX) return undefined
  const end = bytes.length - CHECKSUM_BYTES
  const file = bytes.subarray(0, end)
  if (!equal(hash32(CHECKSUM_LABEL, file), bytes.subarray(end))) return undefined
  const headerBytes = file.subarray(0, HEADER_BYTES)
  const header = decode(headerBytes, decodeHeader)
  return header && { header, headerBytes, box: file.subarray(HEADER_BYTES) }
}

/** True for the beginning of a file of this purpose in the format of an earlier version. */
export function isEarlierSealed(bytes: Uint8Array, purpose: Purpose): boolean {
  const [version = 0, number] = bytes.subarray(MAGIC.length)
  const isOurs = equal(bytes.subarray(0, MAGIC.length), MAGIC) && number === purpose
  return isOurs && version > 0 && version < VERSION[purpose]
}

/** The contents, or undefined if the key is not the one the file was sealed with. */
export function openSealed({ header, headerBytes, box }: Sealed, key: BoxKey): Uint8Array | undefined {
  const boxKey = boxKeyOf(key, headerBytes)
  const contents = open(box, header.nonce, boxKey)
  wipe(boxKey)
  return contents
}

function boxKeyOf(key: BoxKey, header: Uint8Array): Uint8Array {
  return kdf(new Uint8Array(), key, concat(KEY_LABEL, header), 32)
}

function encodeHeader({ purpose, lock, nonce }: Header): Uint8Array {
  const { cost, salt } = lock.kind === "none" ? NO_LOCK : lock
  return new Writer()
    .bytes(MAGIC)
    .u8(VERSION[purpose])
    .u8(purpose)
    .u8(lock.kind === "none" ? 0 : 1)
    .u8(cost.parallelism)
    .u32(cost.memoryKiB)
    .u32(cost.iterations)
    .bytes(salt)
    .bytes(nonce)
    .done()
}

function decodeHeader(reader: Reader): Header | undefined {
  if (!equal(reader.bytes(MAGIC.length), MAGIC)) return undefined
  const version = reader.u8()
  const number = reader.u8()
  const purpose = Object.values(PURPOSE).find((known) => known === number)
  if (purpose === undefined || version !== VERSION[purpose]) return undefined
  const lockByte = reader.u8()
  const parallelism = reader.u8()
  const cost = { memoryKiB: reader.u32(), iterations: reader.u32(), parallelism }
  const salt = reader.bytes(SALT_BYTES)
  const nonce = reader.bytes(NONCE_BYTES)
  const lock = decodeLock(lockByte, cost, salt)
  return lock && { purpose, lock, nonce }
}

function decodeLock(lockByte: number, cost: Argon2Cost, salt: Uint8Array): PassphraseLock | undefined {
  if (lockByte === 1) return withinBounds(cost) ? { kind: "argon2id", cost, salt } : undefined
  const blank = [cost.memoryKiB, cost.iterations, cost.parallelism, ...salt].every((value) => value === 0)
  return lockByte === 0 && blank ? { kind: "none" } : undefined
}
