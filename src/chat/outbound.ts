import type { Random } from "../crypto/bytes.ts"
import { startStep } from "../session/pq.ts"
import { seal } from "../session/ratchet.ts"
import type { Session } from "../session/state.ts"
import type { ContactId, ContactRecord, OutgoingRecord } from "../store/records.ts"
import { LIST_MAX, SHORT_MID_BYTES, type Frame } from "../wire/frame.ts"
import { ID_BYTES, inboxTopic, type Inbox } from "../wire/topics.ts"
import type { Book } from "./book.ts"
import type { Change, Decision, Told } from "./decision.ts"

/** Time (unix ms) and chance of one step. */
export type Moment = { readonly now: number; readonly random: Random }

/**
 * One contact's part of a decision while it is being made: contact, session and waiting receipts as they will
 * be, and the changes besides. The book is only read.
 */
export type Draft = {
  contact: ContactRecord
  session: Session
  /** Short message ids that the peer waits for. */
  receipts: readonly Uint8Array[]
  readonly receiptsBefore: readonly Uint8Array[]
  seq: number
  readonly moment: Moment
  readonly changes: Change[]
  readonly tell: Told[]
}

export type SealRefusal = "waiting-for-peer" | "chain-full" | "too-long"

type Posted =
  | { readonly kind: "posted"; readonly mid: Uint8Array }
  | { readonly kind: "refused"; readonly why: SealRefusal }

/** A draft about a contact that has a session, or undefined. */
export function draftFor(book: Book, id: ContactId, moment: Moment): Draft | undefined {
  const contact = book.contacts.get(id)
  const session = book.sessions.get(id)
  if (contact === undefined || session === undefined) return undefined
  const receipts = readReceipts(book.settings.get(receiptsKey(id)))
  return {
    contact,
    session,
    receipts,
    receiptsBefore: receipts,
    seq: book.nextOutgoing,
    moment,
    changes: [],
    tell: [],
  }
}

/** What the draft comes to. */
export function settle<Result>(book: Book, draft: Draft, result: Result): Decision<Result> {
  const { contact, session, receipts, changes, tell } = draft
  const commit: Change[] = []
  if (book.contacts.get(contact.id) !== contact) commit.push({ write: "contact", contact })
  if (book.sessions.get(contact.id) !== session) {
    commit.push({ write: "session", contact: contact.id, session })
  }
  if (receipts !== draft.receiptsBefore) {
    commit.push({ write: "setting", key: receiptsKey(contact.id), value: Buffer.concat(receipts) })
  }
  return { commit: [...commit, ...changes], tell, result }
}

/** Seals the frames into the outbox, with waiting receipts riding along. On a refusal the draft is as before. */
export function post(draft: Draft, kind: OutgoingRecord["kind"], frames: readonly Frame[]): Posted {
  const riding = draft.receipts.slice(0, LIST_MAX)
  if (riding.length === 0) return postAlone(draft, kind, frames)
  const posted = postAlone(draft, kind, [...frames, { kind: "ack", mids: riding }])
  if (posted.kind === "posted") {
    draft.receipts = draft.receipts.slice(riding.length)
    return posted
  }
  return posted.why === "too-long" && frames.length > 0 ? postAlone(draft, kind, frames) : posted
}

function postAlone(draft: Draft, kind: OutgoingRecord["kind"], frames: readonly Frame[]): Posted {
  const { contact, moment } = draft
  const sealed = seal(draft.session, frames, moment.random)
  if (sealed.kind === "refused") return sealed
  draft.session = sealed.next
  enclose(draft, { contact: contact.id, kind, topic: peerTopic(contact), wire: sealed.wire, mid: sealed.mid })
  return { kind: "posted", mid: sealed.mid }
}

/** Puts finished bytes into the outbox, due at once. */
export function enclose(
  draft: Draft,
  letter: Pick<OutgoingRecord, "contact" | "kind" | "topic" | "wire" | "mid">,
): void {
  const { now } = draft.moment
  draft.changes.push({
    write: "outgoing",
    outgoing: {
      ...letter,
      mid: letter.mid.slice(0, SHORT_MID_BYTES),
      seq: draft.seq,
      published: false,
      attempts: 0,
      dueAt: now,
      createdAt: now,
    },
  })
  draft.seq++
}

/** A text of ours: kept, sealed, in the outbox. `text` is 1 to 65,367 bytes of UTF-8. */
export function writeText(
  book: Book,
  to: ContactId,
  text: string,
  moment: Moment,
): Decision<{ kind: "posted"; mid: Uint8Array } | { kind: "refused"; why: SealRefusal | "no-session" }> {
  const draft = draftFor(book, to, moment)
  if (draft === undefined) return { commit: [], tell: [], result: { kind: "refused", why: "no-session" } }
  const bytes = new Uint8Array(Buffer.from(text, "utf8"))
  const frame: Frame = { kind: "text", time: moment.now, replyTo: undefined, text: bytes }
  const posted = post(draft, "text", [frame])
  if (posted.kind === "refused") return { commit: [], tell: [], result: posted }
  draft.changes.push({
    write: "message",
    message: {
      contact: to,
      mid: posted.mid,
      mine: true,
      text,
      sentAt: moment.now,
      storedAt: moment.now,
      state: "queued",
      shown: true,
    },
  })
  draft.tell.push({ told: "message", contact: to, mid: posted.mid })
  takePostQuantumStep(draft)
  return settle(book, draft, posted)
}

/** The receipts that wait, in frames of their own. */
export function writeReceipts(book: Book, to: ContactId, moment: Moment): Decision<null> {
  const draft = draftFor(book, to, moment)
  if (draft === undefined) return { commit: [], tell: [], result: null }
  while (draft.receipts.length > 0) {
    // A chain that is full goes on when the peer speaks; its own resends will ask again for these receipts.
    if (post(draft, "ack", []).kind === "refused") draft.receipts = []
  }
  return settle(book, draft, null)
}

/** Starts a post-quantum step where one is due; a session that cannot send now is asked again later. */
export function takePostQuantumStep(draft: Draft): void {
  const started = startStep(draft.session, seconds(draft.moment), draft.moment.random)
  if (started === undefined) return
  const before = draft.session
  draft.session = started.next
  if (post(draft, "control", [started.frame]).kind === "refused") draft.session = before
}

function peerTopic(contact: ContactRecord): string {
  return inboxTopic(splitInbox(contact.peerInbox))
}

export function joinInbox(inbox: Inbox): Uint8Array {
  return new Uint8Array(Buffer.concat([inbox.device, inbox.mailbox]))
}

function splitInbox(bytes: Uint8Array): Inbox {
  return { device: bytes.slice(0, ID_BYTES), mailbox: bytes.slice(ID_BYTES) }
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
