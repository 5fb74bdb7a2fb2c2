import type { OutgoingRecord } from "../../store/records.ts"
import { letterKey, type Book } from "../book.ts"
import type { Draft } from "../draft.ts"
import { post } from "../sending/outbound.ts"
import { mayHurry } from "../sending/resend.ts"
import { textState } from "../sending/text-state.ts"

/** The peer has this frame on disk: it is never sent again. */
export function hearAck(book: Book, draft: Draft, mid8: Uint8Array): void {
  const { contact, moment } = draft
  const seq = book.letters.get(letterKey(contact.id, mid8))
  const letter = seq === undefined ? undefined : book.outgoing.get(seq)
  if (letter === undefined) return
  draft.changes.push({ kind: "outgoing-done", seq: letter.seq })
  if (letter.carries === undefined) return
  const { change, told } = textState(contact.id, letter.carries.mid, "delivered", moment.now)
  draft.changes.push(change)
  draft.tell.push(told)
}

/** A text of ours was before somebody's eyes, so it is on the peer's disk, too. */
export function hearRead(book: Book, draft: Draft, mid8: Uint8Array): void {
  const { contact, moment } = draft
  const seq = book.carriers.get(letterKey(contact.id, mid8))
  if (seq !== undefined) draft.changes.push({ kind: "outgoing-done", seq })
  draft.changes.push({ kind: "message-state", contact: contact.id, mid8, state: "read", at: moment.now })
  draft.tell.push({ told: "read", contact: contact.id, mid8 })
}

/** The peer misses these texts: they go at once, and it hears of those that will never come [D-22]. */
export function hearAgain(book: Book, draft: Draft, numbers: readonly number[]): void {
  const { moment, order } = draft
  const found = lettersByNumber(book, draft, numbers)
  for (const letter of found.values()) {
    if (!mayHurry(letter, moment.now)) continue
    draft.changes.push({ kind: "outgoing", outgoing: { ...letter, dueAt: moment.now } })
  }
  const gone = numbers.filter((number) => number < order.sent && !found.has(number))
  if (gone.length > 0) post(draft, { kind: "control", frames: [{ kind: "gone", numbers: gone }] })
}

function lettersByNumber(
  book: Book,
  { contact }: Draft,
  numbers: readonly number[],
): Map<number, OutgoingRecord> {
  const wanted = new Set(numbers)
  const found = new Map<number, OutgoingRecord>()
  for (const letter of book.outgoing.values()) {
    const number = letter.contact === contact.id ? letter.carries?.number : undefined
    if (number !== undefined && wanted.has(number)) found.set(number, letter)
  }
  return found
}
