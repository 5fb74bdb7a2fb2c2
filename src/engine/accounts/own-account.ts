import type { AccountChain } from "../../account/account-chain.ts"
import { headOf } from "../../account/chain-link.ts"
import { createLink } from "../../account/create.ts"
import { concat, type Random } from "../../crypto/bytes.ts"
import type { Store } from "../../store/records.ts"
import { CHAIN_LINKS_MAX_BYTES, type Frame } from "../../wire/frame.ts"
import type { IdentityKeys } from "../../wire/identity.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Decision } from "../state/decision.ts"
import type { StepInput } from "../state/update.ts"

/** The account of this profile. Every engine has one from its opening on. */
export function ownChain({ ownChain: chain }: EngineState): AccountChain {
  if (chain === undefined) throw new RangeError("the engine has not made its account yet")
  return chain
}

/** The create link of our account, unless it is there. */
export function createOwnAccount(
  state: EngineState,
  identity: IdentityKeys,
  { now, random }: StepInput,
): Decision<null> {
  if (state.ownChain !== undefined) return noChange(null)
  const link = createLink(identity, now, random)
  return { commit: [{ kind: "own-link", link }], effects: [], result: null }
}

/** The same for a store that no engine has opened yet; resolves with the account id. */
export async function createAccountIn(
  store: Store,
  identity: IdentityKeys,
  { now, random }: { readonly now: number; readonly random: Random },
): Promise<Uint8Array> {
  const { ownLinks } = await store.load()
  const [first] = ownLinks
  if (first !== undefined) return headOf(first)
  const { number, bytes, head } = createLink(identity, now, random)
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
