import type { AccountChain } from "../../account/account-chain.ts"
import { headOf, type ChainLink } from "../../account/chain-link.ts"
import { createLink } from "../../account/create.ts"
import { concat, utf8 } from "../../crypto/bytes.ts"
import { kdf } from "../../crypto/kdf.ts"
import { CHAIN_LINKS_MAX_BYTES, type Frame } from "../../wire/frame.ts"
import type { IdentityKeys } from "../../wire/identity.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Decision } from "../state/decision.ts"
import type { Store } from "../../store/message-store.ts"

const NO_SALT = new Uint8Array(0)
const LABEL = utf8("mqttchat/1 account")
/** The keys do not say when they were made, and no rule looks at the time of a link. */
const NO_TIME = 0

/** The account of this profile. Every engine has one from its opening on. */
export function ownChain({ ownChain: chain }: EngineState): AccountChain {
  if (chain === undefined) throw new RangeError("the engine has not made its account yet")
  return chain
}

/**
 * The account that belongs to these keys. It is worked out from them: a store may be lost and the keys not, and contacts
 * refuse a key that they know under another account [A-3] [D-70].
 */
function accountOf(identity: IdentityKeys): ChainLink {
  return createLink(identity, NO_TIME, (length) => kdf(NO_SALT, identity.signSecret, LABEL, length))
}

/** The create link of our account, unless it is there. */
export function createOwnAccount(state: EngineState, identity: IdentityKeys): Decision<null> {
  if (state.ownChain !== undefined) return noChange(null)
  const link = accountOf(identity)
  return { commit: [{ kind: "own-link", link }], effects: [], result: null }
}

/** The same for a store that no engine has opened yet; resolves with the account id. */
export async function createAccountIn(store: Store, identity: IdentityKeys): Promise<Uint8Array> {
  const { ownLinks } = await store.load()
  const [first] = ownLinks
  if (first !== undefined) return headOf(first)
  const { number, bytes, head } = accountOf(identity)
  await store.commit([{ kind: "own-link", number, link: bytes }])
  return head
}

/** The create link of a chain: one link has room in the first message, and everybody needs this one [W-56]. */
export function firstLinkFrame({ accountId, links }: AccountChain): Frame {
  return { kind: "chain", accountId, first: 0, links: links[0]?.bytes ?? new Uint8Array(0) }
}

/** Links of a chain from a number on, as many as one frame holds; undefined if there are none [W-56]. */
export function chainFrame(chain: AccountChain, first: number): Frame | undefined {
  const links: Uint8Array[] = []
  let length = 0
  for (const { bytes } of chain.links.slice(first)) {
    length += bytes.length
    if (length > CHAIN_LINKS_MAX_BYTES) break
    links.push(bytes)
  }
  if (links.length === 0) return undefined
  return { kind: "chain", accountId: chain.accountId, first, links: concat(...links) }
}
