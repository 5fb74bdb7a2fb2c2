import type { OutgoingRecord } from "../../store/records.ts"
import type { Book } from "../book.ts"
import type { Decision } from "../decision.ts"
import { draftFor, settle, type Moment } from "../draft.ts"
import { showLine } from "../lines.ts"
import { post } from "./outbound.ts"
import { textState } from "./text-state.ts"

/**
 * A text that will not be sent again. The peer is told its number, or it would keep later ones waiting; where the session
 * cannot say so now, the peer shows the gap by itself after a while.
 */
export function takeBack(
  book: Book,
  { seq, contact, carries }: OutgoingRecord,
  state: "given-up" | "cancelled",
  moment: Moment,
): Decision<null> {
  const done = { kind: "outgoing-done", seq } as const
  const draft = draftFor(book, contact, moment)
  if (draft === undefined || carries === undefined) return { commit: [done], tell: [], result: null }
  const { change, told } = textState(contact, carries.mid, state, moment.now)
  draft.changes.push(done, change)
  draft.tell.push(told)
  if (state === "given-up") showLine(draft, `a message to ${draft.contact.name} was NOT DELIVERED in 30 days`)
  if (carries.number >= 0) {
    post(draft, { kind: "control", frames: [{ kind: "gone", numbers: [carries.number] }] })
  }
  return settle(book, draft, null)
}
