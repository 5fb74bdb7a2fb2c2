import { utf8, type Random } from "../crypto/bytes.ts"
import { hash32 } from "../crypto/kdf.ts"
import { FOUNDING_RANDOM_BYTES, GROUP_ID_BYTES } from "../wire/sizes.ts"

const LABEL = utf8("mqttchat/1 gid")

/** Who made a group, and 32 random bytes: an invitation shows both [G-1]. */
export type Founding = { readonly founder: Uint8Array; readonly random: Uint8Array }

export function foundGroup(founder: Uint8Array, random: Random): Founding {
  return { founder, random: random(FOUNDING_RANDOM_BYTES) }
}

/** The group id, 16 bytes. No one can found a second group with the id of another's [G-1]. */
export function groupIdOf({ founder, random }: Founding): Uint8Array {
  return hash32(LABEL, founder, random).slice(0, GROUP_ID_BYTES)
}
