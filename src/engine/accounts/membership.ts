import { isLive, type AccountChain } from "../../account/account-chain.ts"
import { extendChain, lengthAt, type ChainOutcome, type KnownChain } from "../../account/branches.ts"
import type { LinksRead } from "../../account/chain-link.ts"
import { startChain } from "../../account/judge.ts"
import { equal } from "../../crypto/bytes.ts"
import type { Learned } from "../state/update.ts"
import type { PublicIdentity } from "../../wire/identity.ts"

/** What a device says of its account: in its HELLO, and in the links that it has shown. */
export type Shown = {
  readonly accountId: Uint8Array
  readonly length: number
  readonly head: Uint8Array
  readonly read: LinksRead
  /** Whether the links were asked for: then some of them are new. */
  readonly isAnswer: boolean
}

/** Whether a device belongs to the account that it names [D-70]. */
export type Membership =
  /** All links up to the head that it showed are good, and it is live in them with all 64 bytes. */
  | { readonly kind: "admitted"; readonly known: KnownChain; readonly outcome: ChainOutcome }
  /** Links are missing, from the number `first` on; those that came are judged. */
  | {
      readonly kind: "asking"
      readonly known: KnownChain | undefined
      readonly outcome: ChainOutcome
      readonly first: number
    }
  | { readonly kind: "refused"; readonly why: Exclude<MembershipRefusal, "device"> }
  | { readonly kind: "refused"; readonly why: "device"; readonly learned: Learned }

export type MembershipRefusal =
  /** The links are not those of the account, or do not lead to the head. */
  | "chain"
  /** The device is not in the account, or was removed from it. */
  | "device"
  /** A link of the recovery key, or a comparison, counts before what it shows. */
  | "outranked"
  /** A later version wrote the links. */
  | "newer"

/** Judges what a device showed, with what is known of its account. */
export function judgeMembership(
  known: KnownChain | undefined,
  shown: Shown,
  device: PublicIdentity,
): Membership {
  const { links, end } = shown.read
  if (end === "malformed") return { kind: "refused", why: "chain" }
  const extended = known === undefined ? started(shown) : extendChain(known, links)
  if (extended === undefined) {
    return links.length === 0 && end === "whole"
      ? { kind: "asking", known, outcome: "unchanged", first: 0 }
      : { kind: "refused", why: "chain" }
  }
  const reached = branchTo(extended.known, shown)
  if (reached !== undefined) {
    return isLive(reached, device)
      ? { kind: "admitted", known: extended.known, outcome: extended.outcome }
      : { kind: "refused", why: "device", learned: { known: extended.known, outcome: extended.outcome } }
  }
  return unreached(extended, shown)
}

/** The first links of an account that was not known here. */
function started({ accountId, read }: Shown): ReturnType<typeof extendChain> | undefined {
  const first = read.links[0]
  if (first === undefined || !equal(first.head, accountId)) return undefined
  const judged = startChain(first)
  if (judged.kind === "refused") return undefined
  return extendChain({ chain: judged.chain, rival: undefined, compared: 0 }, read.links)
}

/** The branch on which the device's head stands. */
function branchTo({ chain, rival }: KnownChain, { head, length }: Shown): AccountChain | undefined {
  return [chain, rival].find((branch) => branch !== undefined && lengthAt(branch, head) === length)
}

function unreached({ known, outcome, refused }: ReturnType<typeof extendChain>, shown: Shown): Membership {
  const { links, end } = shown.read
  if (outcome === "outranked" || outcome === "contradicted") return { kind: "refused", why: "outranked" }
  if (end === "unknown-kind") return { kind: "refused", why: "newer" }
  const first = 1 + (links.at(-1)?.number ?? 0)
  const isIdle = shown.isAnswer && outcome === "unchanged"
  const isBad = refused !== undefined || isIdle || first >= shown.length
  return isBad ? { kind: "refused", why: "chain" } : { kind: "asking", known, outcome, first }
}
