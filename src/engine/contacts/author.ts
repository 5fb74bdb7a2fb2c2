import type { ContactId } from "../../store/records.ts"
import { AUTHOR_BYTES } from "../../wire/sizes.ts"
import type { EngineState } from "../state/engine-state.ts"

/** Of an account that is not known. */
const NO_ACCOUNT = new Uint8Array(AUTHOR_BYTES)

/** The beginning of our account id [W-53]. */
export function ownAuthor({ ownChain }: EngineState): Uint8Array {
  return ownChain?.accountId.slice(0, AUTHOR_BYTES) ?? NO_ACCOUNT
}

/** The beginning of a contact's account id. */
export function theirAuthor({ contacts }: EngineState, contact: ContactId): Uint8Array {
  return contacts.get(contact)?.accountId?.slice(0, AUTHOR_BYTES) ?? NO_ACCOUNT
}
