import nacl from "tweetnacl"
import type { Backend } from "./backend.ts"
import { wipe } from "./bytes.ts"

/** The reference: plain JavaScript, present on every platform, and the slowest. */
export const tweetnacl: Backend = {
  agree(secret, theirs) {
    const shared = nacl.scalarMult(secret, theirs)
    return shared.every((byte) => byte === 0) ? undefined : shared
  },
  publicKeyOf: (secret) => nacl.scalarMult.base(secret),
  seal(box, message, nonce, key) {
    box.set(nacl.secretbox(message, nonce, key))
  },
  open(message, box, nonce, key) {
    const opened = nacl.secretbox.open(box, nonce, key)
    if (opened === null) return false
    message.set(opened)
    wipe(opened)
    return true
  },
  verifyKeyOf: (secret) => nacl.sign.keyPair.fromSeed(secret).publicKey,
  sign: (message, secret) => nacl.sign.detached(message, nacl.sign.keyPair.fromSeed(secret).secretKey),
  verify: (message, signature, key) => nacl.sign.detached.verify(message, signature, key),
  sha512(message, target, at) {
    target.set(nacl.hash(message), at)
  },
}
