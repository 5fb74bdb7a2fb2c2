import { createRequire } from "node:module"
import type { Backend } from "./backend.ts"
import { node } from "./node.ts"

/** What is used of libsodium; its own declarations ask for Buffer where any byte array will do. */
type Sodium = {
  crypto_scalarmult(output: Uint8Array, secret: Uint8Array, theirs: Uint8Array): void
  crypto_scalarmult_base(output: Uint8Array, secret: Uint8Array): void
  crypto_secretbox_easy(output: Uint8Array, message: Uint8Array, nonce: Uint8Array, key: Uint8Array): void
  crypto_secretbox_open_easy(output: Uint8Array, box: Uint8Array, nonce: Uint8Array, key: Uint8Array): boolean
  crypto_hash_sha512(output: Uint8Array, message: Uint8Array): void
  crypto_auth(output: Uint8Array, message: Uint8Array, key: Uint8Array): void
}

const LOW_ORDER_POINT = "status: -1"

/** libsodium, or undefined where the optional package or a build for this machine is missing. */
export function loadSodium(): Backend | undefined {
  try {
    // require, since import() would first parse 100 kB for the names it exports: three times the time.
    return backend(createRequire(import.meta.url)("sodium-native") as typeof import("sodium-native"))
  } catch {
    return undefined
  }
}

function backend(sodium: Sodium): Backend {
  // V8 moves an array of up to 64 bytes when native code first sees it, which costs as much as some of the
  // cryptography: small arrays are copied through these, which native code has seen before.
  const digest = new Uint8Array(64)
  const tag = new Uint8Array(32)
  const keyArea = new Uint8Array(32)
  const nonceArea = new Uint8Array(24)
  return {
    agree(secret, theirs) {
      const shared = new Uint8Array(32)
      try {
        sodium.crypto_scalarmult(shared, secret, theirs)
      } catch (error) {
        if (error instanceof Error && error.message === LOW_ORDER_POINT) return undefined
        throw error
      }
      return shared
    },
    publicKeyOf(secret) {
      const key = new Uint8Array(32)
      sodium.crypto_scalarmult_base(key, secret)
      return key
    },
    seal(message, nonce, key) {
      const box = new Uint8Array(message.length + 16)
      keyArea.set(key)
      nonceArea.set(nonce)
      sodium.crypto_secretbox_easy(box, message, nonceArea, keyArea)
      keyArea.fill(0)
      return box
    },
    open(box, nonce, key) {
      const message = new Uint8Array(box.length - 16)
      keyArea.set(key)
      nonceArea.set(nonce)
      const opened = sodium.crypto_secretbox_open_easy(message, box, nonceArea, keyArea)
      keyArea.fill(0)
      return opened ? message : undefined
    },
    // libsodium verifies with the cofactor and so accepts signatures that the other two refuse.
    verifyKeyOf: node.verifyKeyOf,
    sign: node.sign,
    verify: node.verify,
    sha512(message) {
      sodium.crypto_hash_sha512(digest, message)
      const result = digest.slice()
      digest.fill(0)
      return result
    },
    auth(message, key) {
      keyArea.set(key)
      sodium.crypto_auth(tag, message, keyArea)
      const result = tag.slice()
      tag.fill(0)
      keyArea.fill(0)
      return result
    },
  }
}
