import type { ContactId, MessageState } from "../../store/records.ts"
import type { Change, Effect } from "../state/decision.ts"

/** The new state of a text of ours. */
export function messageStateChange(
  contact: ContactId,
  id: Uint8Array,
  state: MessageState,
  at: number,
): { change: Change; effect: Effect } {
  return {
    change: { kind: "message-state", contact, id, state, at },
    effect: { kind: "receipt", contact, id, state },
  }
}
