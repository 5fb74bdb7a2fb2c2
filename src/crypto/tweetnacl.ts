import nacl from "tweetnacl"
import type { Backend } from "./backend.ts"

/** The reference: plain JavaScript, present wherever the program runs, and the slowest. */
export const tweetnacl: Backend = {
  agree(secret, theirs) {
    const shared = nacl.scalarMult(secret, theirs)
    return shared.every((byte) => byte === 0) ? undefined : shared
  },
  publicKeyOf: (secret) => nacl.scalarMult.base(secret),
  seal: (message, nonce, key) => nacl.secretbox(message, nonce, key),
  open: (box, nonce, key) => nacl.secretbox.open(box, nonce, key) ?? undefined,
  verifyKeyOf: (secret) => nacl.sign.keyPair.fromSeed(secret).publicKey,
  sign: (message, secret) => nacl.sign.detached(message, nacl.sign.keyPair.fromSeed(secret).secretKey),
  verify: (message, signature, key) => nacl.sign.detached.verify(message, signature, key),
  sha512: (message) => nacl.hash(message),
}
