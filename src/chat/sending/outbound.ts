import { startStep } from "../../session/pq.ts"
import { seal } from "../../session/ratchet.ts"
import type { ContactId, ContactRecord, MessageRecord, OutgoingRecord } from "../../store/records.ts"
import { LIST_MAX, SHORT_MID_BYTES, type Frame } from "../../wire/frame.ts"
import { ID_BYTES, inboxTopic, type Inbox } from "../../wire/topics.ts"
import type { Book } from "../book.ts"
import { noChange, type Change, type Decision } from "../decision.ts"
import { draftFor, seconds, settle, type Draft, type Moment } from "../draft.ts"
import { MESSAGE_ID_BYTES } from "../message-id.ts"

export type SealRefusal = "waiting-for-peer" | "chain-full" | "too-long"

type Posted =
  | { readonly kind: "posted"; readonly mid: Uint8Array }
  | { readonly kind: "refused"; readonly why: SealRefusal }

/** What goes into the outbox, and the text that it carries where it carries one. */
type Parcel = {
  readonly kind: OutgoingRecord["kind"]
  readonly frames: readonly Frame[]
  /** The message whose text it is; undefined for a text that is new, whose message id is that of the frame. */
  readonly text?: { readonly mid: Uint8Array | undefined; readonly number: number }
}

/** Seals the frames into the outbox, with waiting receipts riding along. On a refusal the draft is as before. */
export function post(draft: Draft, parcel: Parcel): Posted {
  const { frames } = parcel
  const riding = draft.receipts.slice(0, LIST_MAX)
  if (riding.length === 0) return postAlone(draft, parcel)
  const posted = postAlone(draft, { ...parcel, frames: [...frames, { kind: "ack", mids: riding }] })
  if (posted.kind === "posted") {
    draft.receipts = draft.receipts.slice(riding.length)
    return posted
  }
  return posted.why === "too-long" && frames.length > 0 ? postAlone(draft, parcel) : posted
}

function postAlone(draft: Draft, { kind, frames, text }: Parcel): Posted {
  const { contact, moment } = draft
  const sealed = seal(draft.session, frames, moment.random)
  if (sealed.kind === "refused") return sealed
  draft.session = sealed.next
  const { wire, mid } = sealed
  const carries = text && { mid: text.mid ?? mid, number: text.number }
  enclose(draft, { contact: contact.id, kind, topic: peerTopic(contact), wire, mid, carries })
  return { kind: "posted", mid }
}

/** Puts finished bytes into the outbox, due at once. */
export function enclose(
  draft: Draft,
  letter: Pick<OutgoingRecord, "contact" | "kind" | "topic" | "wire" | "mid" | "carries">,
): void {
  const { now } = draft.moment
  draft.changes.push({
    kind: "outgoing",
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

type Written =
  /** `mid` is the message's id, 16 bytes. */
  { kind: "posted"; mid: Uint8Array } | { kind: "refused"; why: SealRefusal | "no-session" }

/** A text of ours: kept, sealed, in the outbox. `text` is 1 to 65,367 bytes of UTF-8. */
export function writeText(book: Book, to: ContactId, text: string, moment: Moment): Decision<Written> {
  const draft = draftFor(book, to, moment)
  if (draft === undefined) return keepText(book, to, text, moment)
  const posted = postText(draft, { text, time: moment.now, before: undefined })
  if (posted.kind === "refused") return noChange(posted)
  const { timer } = draft.contact
  draft.changes.push(ourText({ contact: to, mid: posted.mid, text, timer }, moment))
  draft.tell.push({ told: "message", contact: to, mid: posted.mid })
  takePostQuantumStep(draft)
  return settle(book, draft, posted)
}

/** A contact of a backup has no session yet: when it has one, the text goes in it like the others that wait. */
function keepText(book: Book, to: ContactId, text: string, moment: Moment): Decision<Written> {
  const contact = book.contacts.get(to)
  if (contact?.state !== "recovering") return noChange({ kind: "refused", why: "no-session" })
  const mid = moment.random(MESSAGE_ID_BYTES)
  return {
    commit: [ourText({ contact: to, mid, text, timer: contact.timer }, moment)],
    tell: [{ told: "message", contact: to, mid }],
    result: { kind: "posted", mid },
  }
}

function ourText(
  text: Pick<MessageRecord, "contact" | "mid" | "text" | "timer">,
  { now }: Moment,
): Extract<Change, { kind: "message" }> {
  const mine = { mine: true, kind: "text", state: "queued", shown: true, expiresAt: 0 } as const
  const message = { ...text, ...mine, sentAt: now, storedAt: now, original: new Uint8Array(0) }
  return { kind: "message", message }
}

/** A text that an earlier session sealed and nobody acknowledged, sealed again under its old name [W-29]. */
export function rewriteText(book: Book, message: MessageRecord, moment: Moment): Decision<Written> {
  const { contact, mid, text, sentAt } = message
  const draft = draftFor(book, contact, moment)
  if (draft === undefined) return noChange({ kind: "refused", why: "no-session" })
  const posted = postText(draft, { text, time: sentAt, before: mid })
  if (posted.kind === "refused") return noChange(posted)
  return settle(book, draft, { kind: "posted", mid })
}

type Wording = { readonly text: string; readonly time: number; readonly before: Uint8Array | undefined }

function postText(draft: Draft, { text, time, before }: Wording): Posted {
  const { contact, order } = draft
  const bytes = new Uint8Array(Buffer.from(text, "utf8"))
  const frames: Frame[] = [
    { kind: "text", time, replyTo: undefined, text: bytes },
    { kind: "number", number: order.sent },
  ]
  if (before !== undefined) frames.push({ kind: "original", mid: before.slice(0, SHORT_MID_BYTES) })
  if (contact.timer > 0) frames.push(timerOf(contact))
  const posted = post(draft, { kind: "text", frames, text: { mid: before, number: order.sent } })
  if (posted.kind === "posted") draft.order = { ...order, sent: order.sent + 1 }
  return posted
}

export function timerOf({ timer, timerSetAt }: ContactRecord): Frame {
  return { kind: "timer", seconds: timer, setAt: timerSetAt }
}

/** A frame by itself that may get lost. Whether the session could seal it. */
export function writePassing(book: Book, to: ContactId, frame: Frame, moment: Moment): Decision<boolean> {
  const draft = draftFor(book, to, moment)
  if (draft === undefined) return noChange(false)
  if (post(draft, { kind: "passing", frames: [frame] }).kind === "refused") return noChange(false)
  return settle(book, draft, true)
}

/** The receipts that wait, in frames of their own. */
export function writeReceipts(book: Book, to: ContactId, moment: Moment): Decision<null> {
  const draft = draftFor(book, to, moment)
  if (draft === undefined) return noChange(null)
  while (draft.receipts.length > 0) {
    // A chain that is full goes on when the peer speaks; its own resends will ask again for these receipts.
    if (post(draft, { kind: "passing", frames: [] }).kind === "refused") draft.receipts = []
  }
  return settle(book, draft, null)
}

/** Starts a post-quantum step where one is due; a session that cannot send now is asked again later. */
export function takePostQuantumStep(draft: Draft): void {
  const started = startStep(draft.session, seconds(draft.moment), draft.moment.random)
  if (started === undefined) return
  const before = draft.session
  draft.session = started.next
  if (post(draft, { kind: "control", frames: [started.frame] }).kind === "refused") draft.session = before
}

function peerTopic(contact: ContactRecord): string {
  return inboxTopic(splitInbox(contact.peerInbox))
}

export function joinInbox(inbox: Inbox): Uint8Array {
  return new Uint8Array(Buffer.concat([inbox.device, inbox.mailbox]))
}

export function splitInbox(bytes: Uint8Array): Inbox {
  return { device: bytes.slice(0, ID_BYTES), mailbox: bytes.slice(ID_BYTES) }
}
