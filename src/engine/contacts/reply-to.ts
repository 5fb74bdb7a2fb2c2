import { equal, toHex } from "../../crypto/bytes.ts"
import { isOurs } from "../../store/message-states.ts"
import type { StoredMessage } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Message } from "../state/shapes.ts"
import { ownAuthor } from "./author.ts"

/** What a message answers; null if it answers none. */
export function describeReplyTo(state: EngineState, { replyTo, quoted }: StoredMessage): Message["replyTo"] {
  if (replyTo === undefined) return null
  return {
    id: toHex(replyTo.id),
    mine: quoted === undefined ? equal(replyTo.author, ownAuthor(state)) : isOurs(quoted),
    text: quoted?.text ?? null,
    changed: quoted !== undefined && !equal(quoted.digest, replyTo.digest),
  }
}
