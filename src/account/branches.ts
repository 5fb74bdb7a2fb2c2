import { equal, type VerifyKey } from "../crypto/bytes.ts"
import { chainUpTo, type AccountChain } from "./account-chain.ts"
import type { ChainLink } from "./chain-link.ts"
import { appendLink, type LinkRefusal } from "./judge.ts"

/** What a reader knows of an account. */
export type KnownChain = {
  /** The chain that is believed. */
  readonly chain: AccountChain
  /** Another good chain of the account that does not continue the first: the account is locked. */
  readonly rival: AccountChain | undefined
  /** How many links stood behind a head that two people compared: a fork among them locks nothing any more. */
  readonly compared: number
}

export type ChainOutcome =
  /** Nothing new, or nothing good. */
  | "unchanged"
  | "extended"
  /** A link of the recovery key replaced links of a device. */
  | "replaced"
  /** What was shown lost against a link of the recovery key, and is dropped. */
  | "outranked"
  /** What was shown differs from what two people have compared, and is dropped. */
  | "contradicted"
  | "forked"

export type ChainExtended = {
  readonly known: KnownChain
  readonly outcome: ChainOutcome
  /** Why the next link that was shown was dropped, with all behind it: it locks nothing. */
  readonly refused: LinkRefusal | undefined
}

/** How a chain that is shown stands to one that is known. */
type Relation = "held" | "longer" | "stronger" | "weaker" | "fork"

/** What is known after a run of links was shown. */
export function extendChain(known: KnownChain, links: readonly ChainLink[]): ChainExtended {
  const first = links[0]
  if (first === undefined) return { known, outcome: "unchanged", refused: undefined }
  const base = branchesOf(known).find((branch) => continues(branch, first))
  if (base === undefined) {
    const why = first.number > known.chain.links.length ? "number" : "previous"
    return { known, outcome: "unchanged", refused: why }
  }
  const { chain, refused } = follow(base, links)
  return { ...merged(known, chain), refused }
}

/**
 * What is known after the words of a handshake were compared in which the peer showed this head. It ends a fork if it is a
 * head of one branch only; otherwise undefined.
 */
export function settleChain(known: KnownChain, head: Uint8Array): KnownChain | undefined {
  const [branch, another] = branchesOf(known).filter((candidate) => lengthAt(candidate, head) > 0)
  if (branch === undefined || another !== undefined) return undefined
  return { chain: branch, rival: undefined, compared: Math.max(known.compared, lengthAt(branch, head)) }
}

/** With how many links a chain had this head, 0 for never. */
export function lengthAt(chain: AccountChain, head: Uint8Array): number {
  return chain.links.findIndex((link) => equal(link.head, head)) + 1
}

function branchesOf({ chain, rival }: KnownChain): readonly AccountChain[] {
  return rival === undefined ? [chain] : [chain, rival]
}

function continues(branch: AccountChain, { number, previous, head }: ChainLink): boolean {
  if (number === 0) return equal(head, branch.accountId)
  const before = branch.links[number - 1]
  return before !== undefined && equal(before.head, previous)
}

/** The chain that the links make on this branch; links that stand in it are not verified again. */
function follow(branch: AccountChain, links: readonly ChainLink[]) {
  const isHeld = (link: ChainLink) => {
    const held = branch.links[link.number]
    return held !== undefined && equal(held.head, link.head)
  }
  const differing = links.findIndex((link) => !isHeld(link))
  const first = links[differing]
  if (first === undefined) return { chain: branch, refused: undefined }
  let chain = chainUpTo(branch, first.number)
  for (const link of links.slice(differing)) {
    const judged = appendLink(chain, link)
    if (judged.kind === "refused") return { chain, refused: judged.why }
    chain = judged.chain
  }
  return { chain, refused: undefined }
}

function merged(known: KnownChain, shown: AccountChain): Omit<ChainExtended, "refused"> {
  const { chain, rival } = known
  const relation = relationOf(chain, shown)
  const toRival = rival && relationOf(rival, shown)
  const unchanged = (outcome: ChainOutcome) => ({ known, outcome })
  if (relation === "held" || toRival === "held") return unchanged("unchanged")
  if (relation === "weaker" || toRival === "weaker") return unchanged("outranked")
  if (relation === "fork") {
    if (divergence(chain, shown) < known.compared) return unchanged("contradicted")
    return { known: { ...known, rival: shown }, outcome: "forked" }
  }
  const left = toRival === "fork" ? rival : undefined
  const compared = Math.min(known.compared, divergence(chain, shown))
  const outcome = relation === "longer" ? "extended" : "replaced"
  return { known: { chain: shown, rival: left, compared }, outcome }
}

function relationOf(known: AccountChain, shown: AccountChain): Relation {
  const at = divergence(known, shown)
  const [ours, theirs] = [known.links[at], shown.links[at]]
  if (theirs === undefined) return "held"
  if (ours === undefined) return "longer"
  const key = chainUpTo(known, at).recoveryKey
  const isKey = (other: VerifyKey | undefined) =>
    key !== undefined && other !== undefined && equal(other, key)
  if (isKey(ours.signer) === isKey(theirs.signer)) return "fork"
  if (isKey(theirs.signer)) return isKey(known.recoveryKey) ? "stronger" : "fork"
  return isKey(shown.recoveryKey) ? "weaker" : "fork"
}

/** How many links both begin with. */
function divergence(one: AccountChain, other: AccountChain): number {
  const at = one.links.findIndex((link, number) => {
    const theirs = other.links[number]
    return theirs === undefined || !equal(theirs.head, link.head)
  })
  return at === -1 ? one.links.length : at
}
