import type { Random } from "../crypto/bytes.ts"
import type { Session } from "../session/state.ts"
import type { ContactId, ContactRecord } from "../store/records.ts"
import { SHORT_MID_BYTES } from "../wire/frame.ts"
import type { Book } from "./book.ts"
import type { Change, Decision, Told } from "./decision.ts"
import { orderChange, readOrder, type Order } from "./receiving/order.ts"

/** Time (unix ms) and chance of one step. */
export type Moment = { readonly now: number; readonly random: Random }

/**
 * One contact's part of a decision while it is being made: contact, session, waiting receipts and counters as they will
 * be, and the changes besides. The book is only read.
 */
export type Draft = {
  contact: ContactRecord
  session: Session
  /** Short message ids that the peer waits for. */
  receipts: readonly Uint8Array[]
  readonly receiptsBefore: readonly Uint8Array[]
  order: Order
  readonly orderBefore: Order
  seq: number
  readonly moment: Moment
  readonly changes: Change[]
  readonly tell: Told[]
}

/** A draft about a contact that has a session, or undefined. */
export function draftFor(book: Book, id: ContactId, moment: Moment): Draft | undefined {
  const contact = book.contacts.get(id)
  const session = book.sessions.get(id)
  if (contact === undefined || session === undefined) return undefined
  const receipts = readReceipts(book.settings.get(receiptsKey(id)))
  const order = readOrder(book.settings, id)
  return {
    contact,
    session,
    receipts,
    receiptsBefore: receipts,
    order,
    orderBefore: order,
    seq: book.nextOutgoing,
    moment,
    changes: [],
    tell: [],
  }
}

/** What the draft comes to. */
export function settle<Result>(book: Book, draft: Draft, result: Result): Decision<Result> {
  const { contact, session, receipts, order, changes, tell } = draft
  const commit: Change[] = []
  if (book.contacts.get(contact.id) !== contact) commit.push({ kind: "contact", contact })
  if (book.sessions.get(contact.id) !== session) {
    commit.push({ kind: "session", contact: contact.id, session })
  }
  if (receipts !== draft.receiptsBefore) {
    commit.push({ kind: "setting", key: receiptsKey(contact.id), value: Buffer.concat(receipts) })
  }
  if (order !== draft.orderBefore) commit.push(orderChange(contact.id, order))
  return { commit: [...commit, ...changes], tell, result }
}

/** Unix seconds: the session room's clock. */
export function seconds(moment: Moment): number {
  return Math.floor(moment.now / 1000)
}

export function receiptsKey(contact: ContactId): string {
  return `receipts/${contact}`
}

function readReceipts(value: Uint8Array | undefined): Uint8Array[] {
  const bytes = value ?? new Uint8Array(0)
  const count = Math.floor(bytes.length / SHORT_MID_BYTES)
  return Array.from({ length: count }, (_, i) => bytes.slice(i * SHORT_MID_BYTES, (i + 1) * SHORT_MID_BYTES))
}
