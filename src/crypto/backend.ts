import type { PublicKey, SecretKey, SigningKey, VerifyKey } from "./bytes.ts"
import type { Sha512 } from "./hmac.ts"

/**
 * One implementation of the primitives. All of them give the same bytes for the same input, and none keeps
 * anything in a key, so a key made under one can be used under another.
 *
 * The door (nacl.ts) has checked lengths that come from outside before it calls.
 */
export type Backend = {
  /** X25519 (RFC 7748), 32 bytes; undefined where the result is all zero. */
  readonly agree: (secret: SecretKey, theirs: PublicKey) => Uint8Array | undefined
  /** X25519 of the secret and the base point, 32 bytes. */
  readonly publicKeyOf: (secret: SecretKey) => Uint8Array
  /** XSalsa20-Poly1305 of the message into `box`, of 16 bytes more, in whose last bytes the message may itself stand. */
  readonly seal: (box: Uint8Array, message: Uint8Array, nonce: Uint8Array, key: Uint8Array) => void
  /** Into `message`, of 16 bytes less than `box`; false, with nothing that may be used, for a box that is not genuine. */
  readonly open: (message: Uint8Array, box: Uint8Array, nonce: Uint8Array, key: Uint8Array) => boolean
  /** Ed25519 (RFC 8032), 32 bytes. */
  readonly verifyKeyOf: (secret: SigningKey) => Uint8Array
  /** Ed25519, 64 bytes. */
  readonly sign: (message: Uint8Array, secret: SigningKey) => Uint8Array
  /** `signature` has 64 bytes and S below the group order; `key` is canonical and not of small order. */
  readonly verify: (message: Uint8Array, signature: Uint8Array, key: VerifyKey) => boolean
  /** SHA-512 (FIPS 180-4): 64 bytes into `target`, from `at` on. */
  readonly sha512: Sha512
  /** First 32 bytes of HMAC-SHA-512 under a key of 32 bytes, where one call does it: for short messages that is faster. */
  readonly auth?: (message: Uint8Array, key: Uint8Array) => Uint8Array
}
