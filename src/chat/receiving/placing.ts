import type { ContactId, HeldRecord, HeldText } from "../../store/records.ts"
import type { Book } from "../book.ts"
import type { Draft } from "../draft.ts"
import { showLine } from "../lines.ts"
import type { Held } from "./order.ts"

/** More texts than this do not wait for a missing one: a peer could fill the memory with them. */
const HELD_MAX = 1024
/** ... nor texts of more characters than this together. */
const HELD_LENGTH_MAX = 4 * 1024 * 1024

const NOTHING: Held = new Map()

export function heldFrom(book: Book, contact: ContactId): Held {
  return book.held.get(contact) ?? NOTHING
}

/**
 * A text of theirs takes its place: it is shown with all that waited for it, or waits itself for those before it. One
 * without a number, or that comes after its gap was shown, is shown at once [D-20] [D-21].
 */
export function placeText(draft: Draft, book: Book, number: number | undefined, text: HeldText): void {
  const { contact, moment, order } = draft
  if (number === undefined || number < order.heard) {
    showText(draft, text)
    return
  }
  if (order.anew) {
    beginAnew(draft, book, number)
    showText(draft, text)
    return
  }
  const held = new Map(heldFrom(book, contact.id))
  if (number === order.heard) {
    showText(draft, text)
    draft.order = { ...order, heard: number + 1 }
    goOn(draft, held)
    return
  }
  const record: HeldRecord = { contact: contact.id, number, storedAt: moment.now, text }
  held.set(number, record)
  draft.changes.push({ kind: "held", held: record })
  if (isTooMuch(held)) closeGap(draft, held)
}

/** What was dropped while they were blocked is no gap. */
function beginAnew(draft: Draft, book: Book, number: number): void {
  closeAllGaps(draft, book)
  draft.order = { ...draft.order, heard: Math.max(draft.order.heard, number + 1), anew: false }
}

/** Their word that these texts will never come. */
export function placeGone(draft: Draft, book: Book, numbers: readonly number[]): void {
  const { contact, moment } = draft
  const held = new Map(heldFrom(book, contact.id))
  for (const number of numbers) {
    if (number < draft.order.heard || held.has(number) || held.size >= HELD_MAX) continue
    const record: HeldRecord = { contact: contact.id, number, storedAt: moment.now, text: undefined }
    held.set(number, record)
    draft.changes.push({ kind: "held", held: record })
  }
  goOn(draft, held)
}

/** The gap before the first text that waits is shown as a line, and what follows it. */
export function closeGap(draft: Draft, held: Map<number, HeldRecord>): void {
  const first = Math.min(...held.keys())
  if (!Number.isFinite(first)) return
  const missing = first - draft.order.heard
  if (missing > 0) showLine(draft, `${messages(missing)} from ${draft.contact.name} did not arrive`)
  draft.order = { ...draft.order, heard: first }
  goOn(draft, held)
}

/** Shows everything that waits, gaps and all: their session is over, and nothing of it comes any more. */
export function closeAllGaps(draft: Draft, book: Book): void {
  const held = new Map(heldFrom(book, draft.contact.id))
  while (held.size > 0) closeGap(draft, held)
}

/** Takes out of `held` what follows without a gap. */
function goOn(draft: Draft, held: Map<number, HeldRecord>): void {
  let { heard } = draft.order
  let withdrawn = 0
  for (let next = held.get(heard); next !== undefined; next = held.get(heard)) {
    held.delete(heard++)
    draft.changes.push({ kind: "held-done", contact: next.contact, number: next.number })
    if (next.text === undefined) {
      withdrawn++
      continue
    }
    showWithdrawn(draft, withdrawn)
    withdrawn = 0
    showText(draft, next.text)
  }
  showWithdrawn(draft, withdrawn)
  if (heard !== draft.order.heard) draft.order = { ...draft.order, heard }
}

function showWithdrawn(draft: Draft, texts: number): void {
  if (texts > 0) showLine(draft, `${draft.contact.name} took back ${messages(texts)}`)
}

function showText(draft: Draft, text: HeldText): void {
  const { contact, moment } = draft
  draft.changes.push({
    kind: "message",
    message: {
      ...text,
      contact: contact.id,
      mine: false,
      kind: "text",
      storedAt: moment.now,
      state: "received",
      shown: false,
      expiresAt: 0,
    },
  })
  draft.tell.push({ told: "message", contact: contact.id, mid: text.mid })
}

function messages(count: number): string {
  return count === 1 ? "1 message" : `${count} messages`
}

function isTooMuch(held: Held): boolean {
  if (held.size > HELD_MAX) return true
  let length = 0
  for (const { text } of held.values()) length += text?.text.length ?? 0
  return length > HELD_LENGTH_MAX
}
