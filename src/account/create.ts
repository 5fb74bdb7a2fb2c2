import type { Random } from "../crypto/bytes.ts"
import type { IdentityKeys } from "../wire/identity.ts"
import { NO_PREVIOUS, RANDOM_BYTES, signLink, type ChainLink } from "./chain-link.ts"

/** The first link of a new account whose only device is `identity`. */
export function createLink(identity: IdentityKeys, time: number, random: Random): ChainLink {
  const body = {
    kind: "create",
    device: identity.public,
    recoveryKey: undefined,
    random: random(RANDOM_BYTES),
  } as const
  const content = { number: 0, previous: NO_PREVIOUS, time, body, signer: identity.public.sign }
  return signLink(content, identity.signSecret)
}
