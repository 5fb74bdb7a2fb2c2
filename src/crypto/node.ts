import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hash,
  sign,
  verify,
  type KeyObject,
} from "node:crypto"
import { codeOf } from "../errors.ts"
import type { Backend } from "./backend.ts"
import { equal, toBase64url } from "./bytes.ts"
import { hashParts } from "./hmac.ts"
import { tweetnacl } from "./tweetnacl.ts"

/** Node wants a public half in a private JWK and then works it out by itself: any 32 bytes will do. */
const UNUSED_X = toBase64url(new Uint8Array(32))
const LOW_ORDER_POINT = "ERR_OSSL_FAILED_DURING_DERIVATION"

type Imported = { readonly digest: Uint8Array; readonly key: KeyObject }

/**
 * An import costs as much as the agreement itself, and a ratchet key is used two or three times. An entry dies
 * with its array; the digest is there for an array that was overwritten meanwhile.
 */
const imported = new WeakMap<Uint8Array, Imported>()

function x25519Secret(secret: Uint8Array): KeyObject {
  const digest = hashParts(sha512, [secret])
  const known = imported.get(secret)
  if (known !== undefined && equal(known.digest, digest)) return known.key
  const key = privateKey("X25519", secret)
  imported.set(secret, { digest, key })
  return key
}

// JWK, because Node takes ten times as long over DER.
function privateKey(curve: "X25519" | "Ed25519", secret: Uint8Array): KeyObject {
  const jwk = { kty: "OKP", crv: curve, d: toBase64url(secret), x: UNUSED_X }
  return createPrivateKey({ key: jwk, format: "jwk" })
}

function publicKey(curve: "X25519" | "Ed25519", bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: "OKP", crv: curve, x: toBase64url(bytes) }, format: "jwk" })
}

function publicHalf(key: KeyObject): Uint8Array {
  return new Uint8Array(Buffer.from(createPublicKey(key).export({ format: "jwk" }).x ?? "", "base64url"))
}

function own(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length)
}

/**
 * By way of a string, which Node makes in a third of the time of a Buffer. It cannot be wiped: like everything the garbage
 * collector has moved, it stays until its memory is used again.
 */
function sha512(message: Uint8Array, target: Uint8Array, at: number): void {
  const digest = hash("sha512", message, "binary")
  for (let index = 0; index < digest.length; index++) target[at + index] = digest.charCodeAt(index)
}

/** X25519, Ed25519 and SHA-512 by OpenSSL; boxes by tweetnacl, since OpenSSL has no XSalsa20. */
export const node: Backend = {
  agree(secret, theirs) {
    const keys = { privateKey: x25519Secret(secret), publicKey: publicKey("X25519", theirs) }
    try {
      return own(diffieHellman(keys))
    } catch (error) {
      if (codeOf(error) === LOW_ORDER_POINT) return undefined
      throw error
    }
  },
  publicKeyOf: (secret) => publicHalf(x25519Secret(secret)),
  seal: tweetnacl.seal,
  open: tweetnacl.open,
  verifyKeyOf: (secret) => publicHalf(privateKey("Ed25519", secret)),
  sign: (message, secret) => own(sign(null, message, privateKey("Ed25519", secret))),
  verify: (message, signature, key) => verify(null, message, publicKey("Ed25519", key), signature),
  sha512,
}
