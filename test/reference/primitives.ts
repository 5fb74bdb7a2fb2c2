import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js"
import { ed25519, x25519 } from "@noble/curves/ed25519.js"
import { expand as hkdfExpand } from "@noble/hashes/hkdf.js"
import { hmac } from "@noble/hashes/hmac.js"
import { sha512 } from "@noble/hashes/sha2.js"
import { ml_kem768 } from "@noble/post-quantum/ml-kem.js"
import { ascii, concat } from "./bytes.ts"

// The primitives of [S-1], from other libraries than the program's.

export function H(...parts: readonly Uint8Array[]): Uint8Array {
  return sha512(concat(...parts))
}

export function H32(...parts: readonly Uint8Array[]): Uint8Array {
  return H(...parts).slice(0, 32)
}

export function HMAC(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  return hmac(sha512, key, concat(...parts))
}

export function Expand(prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return hkdfExpand(sha512, prk, info, length)
}

export function KDF(
  salt: Uint8Array,
  input: Uint8Array,
  label: string | Uint8Array,
  length: number,
): Uint8Array {
  const info = typeof label === "string" ? ascii(label) : label
  return Expand(HMAC(salt.length === 0 ? new Uint8Array(64) : salt, input), info, length)
}

/** Undefined where the result would be zeros. */
export function XDH(secret: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  try {
    return x25519.getSharedSecret(secret, key)
  } catch {
    return undefined
  }
}

export function boxKey(secret: Uint8Array): Uint8Array {
  return x25519.getPublicKey(secret)
}

export function signKey(seed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(seed)
}

export function Sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return ed25519.sign(message, seed)
}

export function verify(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return ed25519.verify(signature, message, key, { zip215: false })
}

/** Canonical and not of small order. */
export function isGoodKey(key: Uint8Array): boolean {
  try {
    return !ed25519.Point.fromBytes(key, false).isSmallOrder()
  } catch {
    return false
  }
}

export function SB(message: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array {
  return xsalsa20poly1305(key, nonce).encrypt(message)
}

export function openBox(box: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  try {
    return xsalsa20poly1305(key, nonce).decrypt(box)
  } catch {
    return undefined
  }
}

export function kemKey(seed: Uint8Array): Uint8Array {
  return ml_kem768.keygen(seed).publicKey
}

/** `m` is the randomness of FIPS 203. */
export function encapsulate(key: Uint8Array, m: Uint8Array): { ct: Uint8Array; ss: Uint8Array } {
  const { cipherText, sharedSecret } = ml_kem768.encapsulate(key, m)
  return { ct: cipherText, ss: sharedSecret }
}

export function decapsulate(ct: Uint8Array, seed: Uint8Array): Uint8Array {
  return ml_kem768.decapsulate(ct, ml_kem768.keygen(seed).secretKey)
}
