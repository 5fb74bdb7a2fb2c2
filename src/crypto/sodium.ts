import { createRequire } from "node:module"
import type { Backend } from "./backend.ts"
import { node } from "./node.ts"

/** What is used of libsodium; its own declarations ask for Buffer where any byte array will do. */
type Sodium = {
  crypto_scalarmult(output: Uint8Array, secret: Uint8Array, theirs: Uint8Array): void
  crypto_scalarmult_base(output: Uint8Array, secret: Uint8Array): void
  crypto_auth(output: Uint8Array, message: Uint8Array, key: Uint8Array): void
  crypto_secretbox_easy(output: Uint8Array, message: Uint8Array, nonce: Uint8Array, key: Uint8Array): void
  crypto_secretbox_open_easy(output: Uint8Array, box: Uint8Array, nonce: Uint8Array, key: Uint8Array): boolean
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
  const secretArea = new Uint8Array(32)
  const publicArea = new Uint8Array(32)
  const resultArea = new Uint8Array(32)
  const nonceArea = new Uint8Array(24)
  return {
    agree(secret, theirs) {
      secretArea.set(secret)
      publicArea.set(theirs)
      try {
        sodium.crypto_scalarmult(resultArea, secretArea, publicArea)
        return resultArea.slice()
      } catch (error) {
        if (error instanceof Error && error.message === LOW_ORDER_POINT) return undefined
        throw error
      } finally {
        secretArea.fill(0)
        resultArea.fill(0)
      }
    },
    publicKeyOf(secret) {
      secretArea.set(secret)
      sodium.crypto_scalarmult_base(publicArea, secretArea)
      secretArea.fill(0)
      return publicArea.slice()
    },
    seal(box, message, nonce, key) {
      secretArea.set(key)
      nonceArea.set(nonce)
      sodium.crypto_secretbox_easy(box, message, nonceArea, secretArea)
      secretArea.fill(0)
    },
    open(message, box, nonce, key) {
      secretArea.set(key)
      nonceArea.set(nonce)
      const opened = sodium.crypto_secretbox_open_easy(message, box, nonceArea, secretArea)
      secretArea.fill(0)
      return opened
    },
    // libsodium verifies with the cofactor and so accepts signatures that the other two refuse.
    verifyKeyOf: node.verifyKeyOf,
    sign: node.sign,
    verify: node.verify,
    // OpenSSL's SHA-512 uses the vector unit and takes two thirds of the time of libsodium's.
    sha512: node.sha512,
    auth(message, key) {
      secretArea.set(key)
      sodium.crypto_auth(resultArea, message, secretArea)
      const result = resultArea.slice()
      resultArea.fill(0)
      secretArea.fill(0)
      return result
    },
  }
}
