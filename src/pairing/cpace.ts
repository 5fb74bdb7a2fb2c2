import { concat, type PublicKey, type SecretKey, type SharedSecret, utf8 } from "../crypto/bytes.ts"
import { agree, hash } from "../crypto/nacl.ts"

/** CPACE-X25519-SHA512 of draft-irtf-cfrg-cpace, initiator-responder setting [P-10]. */
const DSI = utf8("CPace255")
const ISK_DSI = utf8("CPace255_ISK")
/** Input block of SHA-512: the password alone fills the first block. */
const BLOCK_BYTES = 128
const FIELD_BYTES = 32

const P = 2n ** 255n - 19n
/** Montgomery coefficient of Curve25519, and the non-square of its Elligator map (RFC 9380 section 4.1). */
const A = 486_662n
const Z = 2n

/** What both sides must agree on: the password, the channel, and the session; 1 to 127 bytes each. */
export type PakeInput = { readonly prs: Uint8Array; readonly ci: Uint8Array; readonly sid: Uint8Array }

/** A public share, 32 bytes, and its sender's associated data. */
export type PakeShare = { readonly share: PublicKey; readonly ad: Uint8Array }

/** LEB128 length, then the bytes (draft section "prepend_len"). */
export function prefixed(part: Uint8Array): Uint8Array {
  const length: number[] = []
  let left = part.length
  while (left > 0x7f) {
    length.push((left & 0x7f) | 0x80)
    left >>>= 7
  }
  return concat(Uint8Array.from([...length, left]), part)
}

/**
 * The point both sides reach from the password (draft section "calculate_generator"). Field arithmetic is on
 * BigInt and so not constant in time: a code is valid for one try, and gives one sample to measure [P-11].
 */
export function generator({ prs, ci, sid }: PakeInput): PublicKey {
  const padding = Math.max(0, BLOCK_BYTES - 1 - prefixed(prs).length - prefixed(DSI).length)
  const parts = [DSI, prs, new Uint8Array(padding), ci, sid]
  const digest = hash(...parts.map(prefixed)).subarray(0, FIELD_BYTES)
  return writePoint(elligator2(readCoordinate(digest)))
}

/** Ya or Yb. Undefined for a generator of low order, which a hash does not produce. */
export function pakeShare(scalar: SecretKey, point: PublicKey): PublicKey | undefined {
  const share = agree(scalar, point)
  return share === undefined ? undefined : (new Uint8Array(share) as PublicKey)
}

/** K, or undefined if their share is of low order: then the exchange is over [P-12]. */
export function pakeSecret(scalar: SecretKey, theirs: PublicKey): SharedSecret | undefined {
  return agree(scalar, theirs)
}

/** The intermediate session key, 64 bytes, over the ordered transcript. */
export function sessionKey(
  sid: Uint8Array,
  secret: SharedSecret,
  [first, second]: readonly [PakeShare, PakeShare],
): Uint8Array {
  const transcript = [first.share, first.ad, second.share, second.ad]
  return hash(...[ISK_DSI, sid, secret, ...transcript].map(prefixed))
}

/** RFC 9380 section 6.7.1, the coordinate only: v is never needed on a Montgomery ladder. */
function elligator2(u: bigint): bigint {
  const square = mod(Z * u * u)
  const x = mod(-A * inverse(square === P - 1n ? 1n : square + 1n))
  return isSquare(mod(x * (x * x + A * x + 1n))) ? x : mod(-x - A)
}

function isSquare(value: bigint): boolean {
  return power(value, (P - 1n) / 2n) !== P - 1n
}

function inverse(value: bigint): bigint {
  return power(value, P - 2n)
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  for (let square = base, left = exponent; left > 0n; left >>= 1n, square = mod(square * square)) {
    if ((left & 1n) === 1n) result = mod(result * square)
  }
  return result
}

function mod(value: bigint): bigint {
  const rest = value % P
  return rest < 0n ? rest + P : rest
}

/** Little-endian; the top bit is not part of a coordinate (RFC 7748 section 5). */
function readCoordinate(bytes: Uint8Array): bigint {
  const value = BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`)
  return mod(value & (2n ** 255n - 1n))
}

function writePoint(x: bigint): PublicKey {
  const hex = x.toString(16).padStart(2 * FIELD_BYTES, "0")
  return new Uint8Array(Buffer.from(hex, "hex").reverse()) as PublicKey
}
