import type { Random, SecretKey, SigningKey } from "../crypto/bytes.ts"
import { concealed } from "../crypto/concealed.ts"
import { publicKeyOf, verifyKeyOf } from "../crypto/nacl.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import type { IdentityKeys } from "../wire/identity.ts"

/** A new identity from 64 random bytes. */
export function createIdentity(random: Random): IdentityKeys {
  return identityOf(random(KEY_BYTES) as SigningKey, random(KEY_BYTES) as SecretKey)
}

/** The identity from its two secrets, 32 bytes each, which it keeps. */
export function identityOf(signSecret: SigningKey, boxSecret: SecretKey): IdentityKeys {
  return concealed("IdentityKeys", {
    signSecret: concealed("SigningKey", signSecret),
    boxSecret: concealed("SecretKey", boxSecret),
    public: { sign: verifyKeyOf(signSecret), box: publicKeyOf(boxSecret) },
  })
}
