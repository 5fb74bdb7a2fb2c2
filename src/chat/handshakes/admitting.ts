import type { Established } from "../../session/handshake.ts"
import type { ContactId, ContactRecord } from "../../store/records.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import type { Book } from "../book.ts"
import { freeName } from "../contacts/contacts.ts"
import { afterHandshake, type Handshake } from "../contacts/state.ts"
import type { Change } from "../decision.ts"
import type { Draft, Moment } from "../draft.ts"
import { nextSecret } from "./establishing.ts"
import { readOrder, START } from "../receiving/order.ts"
import { joinInbox } from "../sending/outbound.ts"
import { closeAllGaps } from "../receiving/placing.ts"

/** While texts of a refreshed contact wait to be sent again: the words of the session in which they are to be. */
export function unsentKey(contact: ContactId): string {
  return `unsent/${contact}`
}

/** Whom a handshake made known. */
export type Met = {
  readonly before: ContactRecord | undefined
  readonly established: Established
  readonly mailbox: Uint8Array
  readonly by: Handshake
}

/** A new contact, or a known one with everything of its old session gone. */
export function admit(book: Book, met: Met, wanted: string, moment: Moment): Draft {
  const { before, established, mailbox, by } = met
  const id = before?.id ?? book.nextContact
  const state = afterHandshake(by)
  // Until they have answered us, what they hold opens under the secret before.
  const isAnswered = before === undefined || state === "unconfirmed"
  const contact: ContactRecord = {
    ...(before ?? NEWCOMER),
    id,
    identity: encodeIdentity(established.peer),
    name: before?.name ?? freeName(book, wanted, undefined),
    state,
    peerInbox: joinInbox(established.peerInbox),
    mailbox,
    sas: established.sas,
    recoverySecret: isAnswered ? established.recoverySecret : before.recoverySecret,
    addedAt: before?.addedAt ?? moment.now,
    movedAt: 0,
  }
  const draft: Draft = {
    contact,
    session: established.session,
    receipts: [],
    receiptsBefore: [],
    order: readOrder(book.settings, id),
    orderBefore: START,
    seq: book.nextOutgoing,
    moment,
    changes: before === undefined ? [] : endSession(book, id, established),
    tell: [],
  }
  if (!isAnswered) draft.changes.push(nextSecret(id, established.recoverySecret))
  closeAllGaps(draft, book)
  draft.order = { ...START }
  return draft
}

/** What nobody has decided about somebody new. */
const NEWCOMER = {
  verified: false,
  blocked: false,
  recoveryBundle: new Uint8Array(0),
  changedAt: 0,
  readReceipts: false,
  typing: false,
  receiptDelay: 0,
  timer: 0,
  timerSetAt: 0,
} as const

function endSession(book: Book, id: ContactId, { sas }: Established): Change[] {
  const changes: Change[] = []
  for (const letter of book.outgoing.values()) {
    if (letter.contact === id) changes.push({ kind: "outgoing-done", seq: letter.seq })
  }
  changes.push({ kind: "setting", key: unsentKey(id), value: sas })
  return changes
}
