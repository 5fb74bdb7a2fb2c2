import type { ConversationRecord } from "../../store/records.ts"
import type { Change, Effect } from "../state/decision.ts"
import type { Recipient } from "../../store/message-records.ts"

/** The new state of a text of ours with the contact of this conversation. */
export function messageStateChange(
  { id: conversation, contact }: ConversationRecord,
  id: Uint8Array,
  state: Recipient["state"],
  at: number,
): { change: Change; effect: Effect } {
  return {
    change: { kind: "message-state", conversation, contact, id, state, at },
    effect: { kind: "receipt", conversation, id, state },
  }
}
