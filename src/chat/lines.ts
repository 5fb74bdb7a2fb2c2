import type { ContactId } from "../store/records.ts"
import type { Change, Told } from "./decision.ts"
import type { Draft, Moment } from "./draft.ts"

/** As long as a message id, so that a line can be asked for as messages are. */
const LINE_ID_BYTES = 16

/** A line for the history and for whoever reads along: what happened to the conversation. */
export function lineFor(contact: ContactId, text: string, moment: Moment): { change: Change; told: Told } {
  const mid = moment.random(LINE_ID_BYTES)
  return {
    change: {
      kind: "message",
      message: {
        contact,
        mid,
        mine: false,
        kind: "line",
        text,
        sentAt: moment.now,
        storedAt: moment.now,
        state: "received",
        shown: false,
        original: new Uint8Array(0),
        timer: 0,
        expiresAt: 0,
      },
    },
    told: { told: "message", contact, mid },
  }
}

export function showLine(draft: Draft, text: string): void {
  const { change, told } = lineFor(draft.contact.id, text, draft.moment)
  draft.changes.push(change)
  draft.tell.push(told)
}
