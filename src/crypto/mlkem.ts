import { MlKemError } from "mlkem"
import {
  wipe,
  type EncapsulationKey,
  type KemCiphertext,
  type KemSeed,
  type Random,
  type SharedSecret,
} from "./bytes.ts"
import { mlkem } from "./mlkem-instance.ts"
import { KEY_BYTES } from "./sizes.ts"

export type Encapsulated = { readonly ciphertext: KemCiphertext; readonly secret: SharedSecret }

/** ML-KEM-768 (FIPS 203 section 7.1) from its 64-byte seed d || z: the encapsulation key, 1184 bytes. */
export function kemKeyPair(seed: KemSeed): EncapsulationKey {
  const [encapsulationKey, decapsulationKey] = mlkem.deriveKeyPair(seed)
  wipe(decapsulationKey)
  return encapsulationKey as EncapsulationKey
}

/** Ciphertext 1088 and secret 32, or undefined if the key's length or a coefficient is not canonical (7.2). */
export function encapsulate(key: EncapsulationKey, random: Random): Encapsulated | undefined {
  try {
    const [ciphertext, secret] = mlkem.encap(key, random(KEY_BYTES))
    return { ciphertext: ciphertext as KemCiphertext, secret: secret as SharedSecret }
  } catch (error) {
    if (error instanceof MlKemError) return undefined
    throw error
  }
}

/** The secret of a ciphertext of 1088 bytes. One that was not made for this seed gives an unrelated secret (7.3). */
export function decapsulate(seed: KemSeed, ciphertext: KemCiphertext): SharedSecret {
  const [, decapsulationKey] = mlkem.deriveKeyPair(seed)
  const secret = mlkem.decap(ciphertext, decapsulationKey)
  wipe(decapsulationKey)
  return secret as SharedSecret
}
