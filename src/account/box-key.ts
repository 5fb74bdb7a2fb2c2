import type { PublicKey } from "../crypto/bytes.ts"

/** The first byte of 2^255 - 19, whose last is 7f and whose others are ff. */
const PRIME_FIRST = 0xed

/** Whether an X25519 key has its one spelling, a number below 2^255 - 19: libraries reduce any other. */
export function isBoxKey(key: PublicKey): boolean {
  const [first = 0, ...others] = key
  const last = others.pop() ?? 0
  if (last !== 0x7f) return last < 0x7f
  return first < PRIME_FIRST || others.some((byte) => byte !== 0xff)
}
