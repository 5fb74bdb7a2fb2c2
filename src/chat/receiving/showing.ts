import type { ContactId, MessageRecord } from "../../store/records.ts"
import { LIST_MAX, SHORT_MID_BYTES } from "../../wire/frame.ts"
import { momentOf } from "./arrivals.ts"
import type { Book } from "../book.ts"
import type { Change, Decision } from "../decision.ts"
import { draftFor, settle, type Moment } from "../draft.ts"
import type { Journal } from "../journal.ts"
import { post } from "../sending/outbound.ts"
import type { Ports } from "../ports.ts"

/** Messages that were before somebody's eyes. */
export type Showing = { readonly mark: (messages: readonly MessageRecord[]) => Promise<void> }

/** Marks them on disk, and tells whom we want to know it. */
export function openShowing(ports: Ports, journal: Journal, onMarked: () => void): Showing {
  return {
    mark: async (messages) => {
      for (const [contact, shown] of byContact(messages)) {
        await journal.run((book) => markShown(book, contact, shown, momentOf(ports)))
      }
      if (messages.length > 0) onMarked()
    },
  }
}

function byContact(messages: readonly MessageRecord[]): Map<ContactId, MessageRecord[]> {
  const found = new Map<ContactId, MessageRecord[]>()
  for (const message of messages) {
    const others = found.get(message.contact)
    if (others === undefined) found.set(message.contact, [message])
    else others.push(message)
  }
  return found
}

function markShown(
  book: Book,
  contact: ContactId,
  shown: readonly MessageRecord[],
  moment: Moment,
): Decision<null> {
  const upTo = Math.max(...shown.map(({ seq }) => seq))
  const mark: Change = { kind: "shown", contact, upTo, at: moment.now }
  const draft = draftFor(book, contact, moment)
  if (draft?.contact.readReceipts !== true) return { commit: [mark], tell: [], result: null }
  const mids = shown.filter(({ mine, kind }) => !mine && kind === "text").map(nameOf)
  for (let at = 0; at < mids.length; at += LIST_MAX) {
    post(draft, { kind: "control", frames: [{ kind: "read", mids: mids.slice(at, at + LIST_MAX) }] })
  }
  draft.changes.push(mark)
  return settle(book, draft, null)
}

/** As its sender knows it [W-30]. */
function nameOf({ mid, original }: MessageRecord): Uint8Array {
  return original.length > 0 ? original : mid.slice(0, SHORT_MID_BYTES)
}
