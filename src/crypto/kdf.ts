import { hash, hmac } from "./nacl.ts"

const BLOCK = 64
/** RFC 5869 section 2.3: the block counter is one byte. */
const EXPAND_MAX = 255 * BLOCK
const ZERO_SALT = new Uint8Array(BLOCK)
const EMPTY = new Uint8Array(0)

/** HKDF-Expand (RFC 5869) with SHA-512: up to 16,320 bytes; more throws RangeError, for no caller may ask for it. */
export function expand(prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  if (length > EXPAND_MAX) throw new RangeError("HKDF-SHA-512 gives no more than 16320 bytes")
  const output = new Uint8Array(length)
  let block: Uint8Array = EMPTY
  for (let offset = 0; offset < length; offset += BLOCK) {
    block = hmac(prk, block, info, Uint8Array.of(offset / BLOCK + 1))
    output.set(length - offset < BLOCK ? block.subarray(0, length - offset) : block, offset)
  }
  return output
}

/** HKDF (RFC 5869) with SHA-512; an empty salt stands for 64 zero bytes. */
export function kdf(salt: Uint8Array, ikm: Uint8Array, label: Uint8Array, length: number): Uint8Array {
  return expand(hmac(salt.length === 0 ? ZERO_SALT : salt, ikm), label, length)
}

/** The first 32 bytes of SHA-512 over the parts. */
export function hash32(...parts: readonly Uint8Array[]): Uint8Array {
  return hash(...parts).slice(0, 32)
}
