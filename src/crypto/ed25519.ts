import { equal, fromHex } from "./bytes.ts"
import { KEY_BYTES, SIGNATURE_BYTES } from "./sizes.ts"

/** Little-endian words of 32 bits: the order of the group, and the prime of the field (RFC 8032 section 5.1). */
const GROUP_ORDER = [0x5cf5d3ed, 0x5812631a, 0xa2f79cd6, 0x14def9de, 0, 0, 0, 0x10000000]
const FIELD_PRIME = [0xffffffed, ...Array<number>(6).fill(0xffffffff), 0x7fffffff]

/** The y coordinates of the eight points whose order divides 8; each stands for two signs of x. */
const SMALL_ORDER_Y = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map(fromHex)

/**
 * Whether a signature can be checked with these bytes [S-1]. A key of small order has signatures that anyone can make, for
 * any message. A coordinate that is not below the prime is a second spelling of a key, and libraries differ about it.
 */
export function isVerifyKey(bytes: Uint8Array): boolean {
  if (bytes.length !== KEY_BYTES) return false
  const y = bytes.with(KEY_BYTES - 1, (bytes[KEY_BYTES - 1] ?? 0) & 0x7f)
  return isBelow(y, FIELD_PRIME) && !SMALL_ORDER_Y.some((small) => equal(small, y))
}

/** Whether a signature has its length and the one S that RFC 8032 section 5.1.7 allows. Libraries differ about both. */
export function isSignature(bytes: Uint8Array): boolean {
  return bytes.length === SIGNATURE_BYTES && isBelow(bytes.subarray(KEY_BYTES), GROUP_ORDER)
}

function isBelow(number: Uint8Array, bound: readonly number[]): boolean {
  const view = new DataView(number.buffer, number.byteOffset, number.length)
  const differing = bound.findLastIndex((word, index) => view.getUint32(index * 4, true) !== word)
  return differing !== -1 && view.getUint32(differing * 4, true) < (bound[differing] ?? 0)
}
