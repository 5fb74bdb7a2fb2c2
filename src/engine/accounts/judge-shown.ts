import { extendChain, type ChainOutcome, type KnownChain } from "../../account/branches.ts"
import { isLive } from "../../account/account-chain.ts"
import { readLinks } from "../../account/chain-link.ts"
import { equal } from "../../crypto/bytes.ts"
import type { ContactRecord } from "../../store/records.ts"
import type { Frame } from "../../wire/frame.ts"
import type { PublicIdentity } from "../../wire/identity.ts"
import { findAccount } from "../contacts/contacts.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Learned } from "../state/update.ts"
import { judgeMembership, type Membership, type MembershipRefusal, type Shown } from "./membership.ts"

type HelloFrame = Extract<Frame, { kind: "hello" }>
export type ChainFrame = Extract<Frame, { kind: "chain" }>

export type Judged =
  | {
      readonly kind: "judged"
      readonly membership: Exclude<Membership, { kind: "refused" }>
      readonly shown: Shown
      /** The contact whose account it is; undefined for a new one. */
      readonly owner: ContactRecord | undefined
    }
  /** `learned` if all links are good, and the device is in none of the branches to its head. */
  | { readonly kind: "refused"; readonly why: string; readonly learned?: Learned }

const WHY: Readonly<Record<MembershipRefusal | "another-account", string>> = {
  chain: "showed an account whose links do not hold",
  device: "used a device that does not belong to the account which it names",
  outranked: "showed changes of their account that do not count",
  newer: "has an account that this version of mqttchat cannot read: update mqttchat",
  "another-account": "used a device that is known of another account",
}

/** What the first message of a device says of its account. */
export function shownIn(hello: HelloFrame, chain: ChainFrame | undefined): Shown {
  const { accountId, length, head } = hello
  const isOfIt = chain === undefined || equal(chain.accountId, accountId)
  const read = isOfIt
    ? readLinks(chain?.links ?? new Uint8Array(0))
    : ({ links: [], end: "malformed" } as const)
  return { accountId, length, head, read, isAnswer: false }
}

/**
 * Judges what a device shows. A device that is known of one account, as the contact's are, is refused for another
 * [D-70].
 */
export function judgeShown(
  state: EngineState,
  contact: ContactRecord | undefined,
  shown: Shown,
  device: PublicIdentity,
): Judged {
  if (contact?.accountId !== undefined && !equal(contact.accountId, shown.accountId))
    return { kind: "refused", why: WHY["another-account"] }
  const owner = findAccount(state, shown.accountId) ?? contact
  const known = owner && knownChain(state, owner)
  const isOfIt = known !== undefined && equal(known.chain.accountId, shown.accountId)
  const membership = judgeMembership(isOfIt ? known : undefined, shown, device)
  if (membership.kind === "refused") {
    const refused = { kind: "refused", why: WHY[membership.why] } as const
    return membership.why === "device" ? { ...refused, learned: membership.learned } : refused
  }
  return { kind: "judged", membership, shown, owner }
}

/** What is known of a contact's account. */
export function knownChain(state: EngineState, contact: ContactRecord): KnownChain | undefined {
  const account = state.accounts.get(contact.id)
  return account && { ...account, compared: contact.comparedLinks }
}

/** Whether a device belongs to an account by what was known before it showed more. */
export function isKnownLive(known: KnownChain | undefined, device: PublicIdentity): boolean {
  return known !== undefined && isLive(known.chain, device)
}

/** Whether a device is live in no branch of its account any more. */
export function isRemoved({ chain, rival }: KnownChain, device: PublicIdentity): boolean {
  return [chain, rival].every((branch) => branch === undefined || !isLive(branch, device))
}

/** Links that a device shows after its handshake. Undefined if they are not of its account. */
export function judgeLater(
  state: EngineState,
  contact: ContactRecord,
  frame: ChainFrame,
): { readonly known: KnownChain; readonly outcome: ChainOutcome; readonly isNewer: boolean } | undefined {
  const known = knownChain(state, contact)
  if (known === undefined || !equal(frame.accountId, known.chain.accountId)) return undefined
  const { links, end } = readLinks(frame.links)
  const { known: next, outcome } = extendChain(known, links)
  return { known: next, outcome, isNewer: end === "unknown-kind" }
}
