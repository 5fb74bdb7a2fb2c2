import { equal, toHex } from "../../crypto/bytes.ts"
import { isOurs } from "../../store/message-states.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Message } from "../state/shapes.ts"
import { authorTagOf } from "./authors.ts"
import type { StoredMessage } from "../../store/message-records.ts"

/** What a message answers; null if it answers none. */
export function describeReplyTo(state: EngineState, { replyTo, quoted }: StoredMessage): Message["replyTo"] {
  if (replyTo === undefined) return null
  const own = authorTagOf(state, null)
  return {
    id: toHex(replyTo.id),
    mine: quoted === undefined ? own !== undefined && equal(replyTo.author, own) : isOurs(quoted),
    text: quoted === undefined || quoted.deletedAt !== null ? null : quoted.text,
    changed: quoted !== undefined && !equal(quoted.digest, replyTo.digest),
  }
}
