import {
  compare,
  concat,
  utf8,
  type PublicKey,
  type SecretKey,
  type SigningKey,
  type VerifyKey,
} from "../crypto/bytes.ts"
import { hash } from "../crypto/nacl.ts"

export const IDENTITY_BYTES = 64
const FINGERPRINT_BYTES = 20
const FINGERPRINT_LABEL = utf8("mqttchat/1 id")
const SAFETY_LABEL = utf8("mqttchat/1 safety")
const SAFETY_GROUPS = 12
const GROUP_BYTES = 5

/** An identity: an Ed25519 and an X25519 key, independent of each other [W-14]. */
export type PublicIdentity = { readonly sign: VerifyKey; readonly box: PublicKey }

/** Our own identity; it prints as ‹IdentityKeys›. */
export type IdentityKeys = {
  readonly signSecret: SigningKey
  readonly boxSecret: SecretKey
  readonly public: PublicIdentity
}

/** signing key 32 || box key 32 [W-14]. */
export function encodeIdentity(identity: PublicIdentity): Uint8Array {
  return concat(identity.sign, identity.box)
}

/** The two keys of 64 bytes, copied; any 64 bytes are an identity, possibly of no user [W-14]. */
export function decodeIdentity(bytes: Uint8Array): PublicIdentity {
  return {
    sign: new Uint8Array(bytes.subarray(0, 32)) as VerifyKey,
    box: new Uint8Array(bytes.subarray(32, IDENTITY_BYTES)) as PublicKey,
  }
}

/** 20 bytes that identify an account id, or a device's key, where it is too long [W-15]. */
export function fingerprint(id: Uint8Array): Uint8Array {
  return hash(FINGERPRINT_LABEL, id).slice(0, FINGERPRINT_BYTES)
}

/** Twelve groups of five digits for two account ids, the same for both sides, to be compared out loud [W-16]. */
export function safetyNumber(one: Uint8Array, other: Uint8Array): string[] {
  const digest = Buffer.from(hash(SAFETY_LABEL, ...[one, other].sort(compare)))
  return Array.from({ length: SAFETY_GROUPS }, (_, group) => {
    const number = digest.readUIntBE(group * GROUP_BYTES, GROUP_BYTES) % 100_000
    return String(number).padStart(5, "0")
  })
}
