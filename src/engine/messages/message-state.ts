import type { ContactId, MessageState } from "../../store/records.ts"
import { SHORT_MID_BYTES } from "../../wire/frame.ts"
import type { Change, Effect } from "../state/decision.ts"

/** The new state of a text of ours, named by its id of 16 bytes. */
export function messageStateChange(
  contact: ContactId,
  mid: Uint8Array,
  state: MessageState,
  at: number,
): { change: Change; effect: Effect } {
  return {
    change: { kind: "message-state", contact, mid8: mid.slice(0, SHORT_MID_BYTES), state, at },
    effect: { kind: "receipt", contact, mid, state },
  }
}
