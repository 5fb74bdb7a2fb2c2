import { createLink } from "../../src/account/create.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import type { AccountHead } from "../../src/session/comparison.ts"
import type { Frame } from "../../src/wire/frame.ts"
import type { IdentityKeys } from "../../src/wire/identity.ts"

type HostileAccount = {
  readonly head: AccountHead
  readonly length: number
  readonly links: readonly Frame[]
}

const accounts = new WeakMap<IdentityKeys, HostileAccount>()

/** The account of one device that Mallory made for these keys, always the same. */
export function accountOf(identity: IdentityKeys): HostileAccount {
  const known = accounts.get(identity) ?? createAccount(identity)
  accounts.set(identity, known)
  return known
}

function createAccount(identity: IdentityKeys): HostileAccount {
  const { head, bytes } = createLink(identity, 1, systemRandom)
  const chain: Frame = { kind: "chain", accountId: head, first: 0, links: bytes }
  return { head: { account: head, head }, length: 1, links: [chain] }
}
