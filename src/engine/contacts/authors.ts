import { equal } from "../../crypto/bytes.ts"
import { isOurs } from "../../store/message-states.ts"
import type { ContactId, StoredMessage } from "../../store/records.ts"
import { encodeIdentity, type PublicIdentity } from "../../wire/identity.ts"
import { AUTHOR_BYTES } from "../../wire/sizes.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Message } from "../state/shapes.ts"
import { toHex } from "../../crypto/bytes.ts"
import { devicesOf } from "./devices.ts"

/** How REPLY names us as an author [W-53]. */
export function ownAuthorTag(identity: PublicIdentity): Uint8Array {
  return encodeIdentity(identity).slice(0, AUTHOR_BYTES)
}

/** How REPLY names a contact as an author. */
export function authorTagOf(state: EngineState, contact: ContactId): Uint8Array {
  return devicesOf(state, contact)[0]?.key.slice(0, AUTHOR_BYTES) ?? new Uint8Array(AUTHOR_BYTES)
}

/** What a message answers; null if it answers none. */
export function describeReplyTo(
  state: EngineState,
  contact: ContactId,
  { replyTo, quoted }: StoredMessage,
): Message["replyTo"] {
  if (replyTo === undefined) return null
  const isTheirs = equal(replyTo.author, authorTagOf(state, contact))
  return {
    id: toHex(replyTo.id),
    mine: quoted === undefined ? !isTheirs : isOurs(quoted),
    text: quoted?.text ?? null,
    changed: quoted !== undefined && !equal(quoted.digest, replyTo.digest),
  }
}
