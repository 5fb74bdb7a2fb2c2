import { equal } from "../crypto/bytes.ts"
import type { HeaderKey } from "../crypto/bytes.ts"
import { TAG_BYTES } from "../wire/sizes.ts"
import { blockOf, numberOf, tagBlock, tagIn } from "./chain.ts"
import { openHeader } from "./message.ts"
import type { SealedHeader } from "./message.ts"
import { skippedKeyOf } from "./skipped.ts"
import type { ReceivingChain, Session, Speaking, Waiting } from "./state.ts"

/** The chain of a message, and its header opened under that chain's header key. */
export type KeyLocation =
  | { readonly kind: "present"; readonly chain: ReceivingChain; readonly header: SealedHeader }
  | { readonly kind: "upcoming"; readonly session: Waiting | Speaking; readonly header: SealedHeader }
  /** The tag is expected, but the rest does not belong to it. */
  | { readonly kind: "forged" }
  | { readonly kind: "nowhere" }

/** Found by its tag, which costs no cryptography, or else by trying the two header keys (Double Ratchet section 4.6) [S-31]. */
export function locateKeys(session: Session, wire: Uint8Array): KeyLocation {
  const tagged = byTag(session, wire)
  return tagged.kind === "nowhere" ? byHeader(session, wire) : tagged
}

/**
 * True when this session expects a message's tag, so that `open` need not try header keys. A receiver that takes
 * frames from strangers must pass other messages on at a bounded rate only [S-32].
 */
export function expects(session: Session, wire: Uint8Array): boolean {
  if (skippedKeyOf(session.skipped, wire) !== undefined) return true
  if (numberOnPresent(session, wire) !== undefined) return true
  return session.kind !== "listening" && numberOf(session.upcoming.window, wire, 0) !== undefined
}

function byTag(session: Session, wire: Uint8Array): KeyLocation {
  const { receiving, upcoming } = session
  const onPresent = numberOnPresent(session, wire)
  if (receiving !== undefined && onPresent !== undefined) {
    const header = openHeader(wire, receiving.headerKey)
    return header?.n === onPresent ? { kind: "present", chain: receiving, header } : { kind: "forged" }
  }
  // Until we have answered the peer's present chain, it cannot have started another.
  if (session.kind === "listening") return { kind: "nowhere" }
  const onUpcoming = numberOf(upcoming.window, wire, 0)
  if (onUpcoming === undefined) return { kind: "nowhere" }
  const header = openHeader(wire, upcoming.headerKey)
  return header?.n === onUpcoming ? { kind: "upcoming", session, header } : { kind: "forged" }
}

function numberOnPresent({ receiving }: Session, wire: Uint8Array): number | undefined {
  return receiving === undefined ? undefined : numberOf(receiving.window, wire, receiving.received)
}

/** For a gap larger than the window. A header alone is not enough: its number must give the tag. */
function byHeader(session: Session, wire: Uint8Array): KeyLocation {
  const { receiving, upcoming } = session
  if (receiving !== undefined) {
    const header = headerWithTag(wire, receiving.headerKey, receiving.received)
    if (header !== undefined) return { kind: "present", chain: receiving, header }
  }
  if (session.kind !== "listening") {
    const header = headerWithTag(wire, upcoming.headerKey, 0)
    if (header !== undefined) return { kind: "upcoming", session, header }
  }
  return { kind: "nowhere" }
}

function headerWithTag(wire: Uint8Array, headerKey: HeaderKey, from: number): SealedHeader | undefined {
  const header = openHeader(wire, headerKey)
  if (header === undefined || header.n < from) return undefined
  const tag = tagIn(tagBlock(headerKey, blockOf(header.n)), header.n)
  return equal(tag, wire.subarray(0, TAG_BYTES)) ? header : undefined
}
