import { equal } from "../../crypto/bytes.ts"
import { AUTHOR_BYTES } from "../../wire/sizes.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { ContactId } from "../../store/ids.ts"

/** How REPLY and changes name an author: the beginning of an account id; null is ourselves [W-53]. */
export function authorTagOf(state: EngineState, author: ContactId | null): Uint8Array | undefined {
  const accountId = author === null ? state.ownChain?.accountId : state.contacts.get(author)?.accountId
  return accountId?.slice(0, AUTHOR_BYTES)
}

/** Which of the two people of a conversation a frame names; undefined if it is neither. */
export function authorNamed(
  state: EngineState,
  contact: ContactId,
  tag: Uint8Array,
): ContactId | null | undefined {
  return [null, contact].find((author) => {
    const known = authorTagOf(state, author)
    return known !== undefined && equal(known, tag)
  })
}
