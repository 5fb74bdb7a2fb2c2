import { toHex } from "../crypto/bytes.ts"
import { readBundle } from "../session/bundle.ts"
import { onPqFrame } from "../session/pq.ts"
import { open } from "../session/ratchet.ts"
import type { ContactId, ContactRecord } from "../store/records.ts"
import { SHORT_MID_BYTES, type Frame } from "../wire/frame.ts"
import { encodeIdentity } from "../wire/identity.ts"
import { readText } from "../wire/text.ts"
import { letterKey, type Book } from "./book.ts"
import { freeName, offeredName, placeholderName } from "./contacts.ts"
import { noChange, type Decision } from "./decision.ts"
import { messageId } from "./message-id.ts"
import { draftFor, post, seconds, settle, takePostQuantumStep, type Draft, type Moment } from "./outbound.ts"
import { markSeen, wasSeen } from "./seen.ts"

export type Received =
  /** On disk with all that follows from it. */
  | { readonly kind: "committed"; readonly receiptsWait: boolean }
  /** Seen before: nothing changed, or its receipt waits to be sent again. */
  | { readonly kind: "again"; readonly receiptsWait: boolean }
  | {
      readonly kind: "refused"
      readonly why: "blocked" | "malformed" | "unknown-tag" | "forged" | "too-far-ahead" | "unknown-kem"
    }

/** A frame that came to a contact's mailbox. A refusal changes nothing but the count of the dropped. */
export function receive(book: Book, from: ContactId, wire: Uint8Array, moment: Moment): Decision<Received> {
  const draft = draftFor(book, from, moment)
  if (draft === undefined || draft.contact.blocked) return dropped("blocked")
  const opened = open(draft.session, wire, seconds(moment))
  if (opened.kind === "refused") {
    return opened.why === "unknown-tag" ? again(book, draft, wire) : dropped(opened.why)
  }
  draft.session = opened.next
  confirm(book, draft, opened.newChain)
  const news: News = { book, draft, mid: opened.mid }
  for (const frame of opened.frames) hear(news, frame)
  if (opened.frames.some(wantsReceipt)) {
    draft.receipts = [...draft.receipts, opened.mid.slice(0, SHORT_MID_BYTES)]
    const leavesTrace = opened.frames.some(({ kind }) => kind === "text")
    if (!leavesTrace) draft.changes.push(markSeen(book.settings, from, opened.mid))
  }
  takePostQuantumStep(draft)
  return settle(book, draft, { kind: "committed", receiptsWait: draft.receipts.length > 0 })
}

/** A text that is on the disk already came once more: its receipt was lost, so it is sent again. */
export function repeatReceipt(
  book: Book,
  to: ContactId,
  mid: Uint8Array,
  moment: Moment,
): Decision<Received> {
  const draft = draftFor(book, to, moment)
  if (draft === undefined) return dropped("blocked")
  const mid8 = mid.slice(0, SHORT_MID_BYTES)
  if (!draft.receipts.some((waiting) => toHex(waiting) === toHex(mid8)))
    draft.receipts = [...draft.receipts, mid8]
  return settle(book, draft, { kind: "again", receiptsWait: true })
}

export function dropped(why: Extract<Received, { kind: "refused" }>["why"]): Decision<Received> {
  return { commit: [], tell: [{ told: "dropped" }], result: { kind: "refused", why } }
}

type News = { readonly book: Book; readonly draft: Draft; readonly mid: Uint8Array }

function again(book: Book, draft: Draft, wire: Uint8Array): Decision<Received> {
  const { contact, moment } = draft
  const mid = messageId(wire)
  if (wasSeen(book.settings, contact.id, mid)) return repeatReceipt(book, contact.id, mid, moment)
  // An INIT that was answered: its WELCOME is in the outbox until the peer has it.
  if (wasSeen(book.settings, contact.id, wire)) return noChange({ kind: "again", receiptsWait: false })
  return noChange({ kind: "refused", why: "unknown-tag" })
}

/** Their first message confirms whom we answered; the first of their second chain confirms who answered us. */
function confirm(book: Book, draft: Draft, newChain: boolean): void {
  const { contact } = draft
  if (contact.state === "init-sent") {
    draft.contact = { ...contact, state: "established" }
    for (const letter of book.outgoing.values()) {
      if (letter.contact === contact.id && letter.kind === "init") {
        draft.changes.push({ write: "outgoing-done", seq: letter.seq })
      }
    }
  } else if (contact.state === "unconfirmed" && newChain) {
    draft.contact = { ...contact, state: "established" }
  }
}

/** What the peer has to know that we have. A receipt for a receipt would never end. */
function wantsReceipt(frame: Frame): boolean {
  return frame.kind !== "ack" && frame.kind !== "nop"
}

function hear(news: News, frame: Frame): void {
  const { draft } = news
  switch (frame.kind) {
    case "text":
      hearText(news, frame)
      return
    case "ack":
      for (const mid8 of frame.mids) hearReceipt(news, mid8)
      return
    case "hello":
      hearWelcome(news, frame.name, frame.recoveryBundle)
      return
    case "recovery-bundle":
      draft.contact = withRecoveryBundle(draft.contact, frame.bundle, seconds(draft.moment))
      return
    case "pq-ek":
    case "pq-ct":
      hearPostQuantum(draft, frame)
      return
    case "topic":
      hearTopic(draft, frame.mailbox)
      return
    case "unknown":
      notice(draft, `${draft.contact.name} sent something that this version of mqttchat does not know`)
      return
    case "topic-ok":
    case "nop":
      return
  }
}

function hearText({ draft, mid }: News, frame: Extract<Frame, { kind: "text" }>): void {
  const text = readText(frame.text)
  if (text === undefined) {
    notice(draft, `${draft.contact.name} sent a message that is no text`)
    return
  }
  const { contact, moment } = draft
  draft.changes.push({
    write: "message",
    message: {
      contact: contact.id,
      mid,
      mine: false,
      text,
      sentAt: frame.time,
      storedAt: moment.now,
      state: "received",
      shown: false,
    },
  })
  draft.tell.push({ told: "message", contact: contact.id, mid })
}

function hearReceipt({ book, draft }: News, mid8: Uint8Array): void {
  const { contact } = draft
  const seq = book.letters.get(letterKey(contact.id, mid8))
  const letter = seq === undefined ? undefined : book.outgoing.get(seq)
  if (letter === undefined) return
  draft.changes.push({ write: "outgoing-done", seq: letter.seq })
  if (letter.kind !== "text") return
  draft.changes.push({ write: "message-state", contact: contact.id, mid8, state: "delivered" })
  draft.tell.push({ told: "receipt", contact: contact.id, mid: messageId(letter.wire), state: "delivered" })
}

function hearWelcome({ book, draft }: News, offered: Uint8Array, recoveryBundle: Uint8Array): void {
  const { contact } = draft
  const unnamed = contact.name === placeholderName(contact.identity)
  const wanted = unnamed ? offeredName(offered) : undefined
  const name = wanted === undefined ? contact.name : freeName(book, wanted, contact.id)
  draft.contact = withRecoveryBundle({ ...contact, name }, recoveryBundle, seconds(draft.moment))
  const renamedFrom = wanted === undefined || wanted === name ? null : wanted
  draft.tell.push({ told: "welcomed", contact: contact.id, renamedFrom })
}

/** Kept only if it is what it says: a recovery bundle, signed by this contact. */
export function withRecoveryBundle(contact: ContactRecord, bytes: Uint8Array, now: number): ContactRecord {
  const bundle = readBundle(bytes, now)
  if (bundle?.recovery !== true || toHex(encodeIdentity(bundle.owner)) !== toHex(contact.identity)) {
    return contact
  }
  return { ...contact, recoveryBundle: bundle.bytes }
}

function hearPostQuantum(draft: Draft, frame: Extract<Frame, { kind: "pq-ek" | "pq-ct" }>): void {
  const before = draft.session
  const { next, reply } = onPqFrame(before, frame, draft.moment.random)
  draft.session = next
  if (reply === undefined) return
  // Without the answer the peer asks again; a secret promised but not sent would be used by nobody.
  if (post(draft, "control", [reply]).kind === "refused") draft.session = before
}

function hearTopic(draft: Draft, mailbox: Uint8Array): void {
  const { contact } = draft
  const device = contact.peerInbox.slice(0, contact.peerInbox.length - mailbox.length)
  draft.contact = { ...contact, peerInbox: new Uint8Array(Buffer.concat([device, mailbox])) }
  post(draft, "control", [{ kind: "topic-ok", mailbox }])
}

function notice(draft: Draft, text: string): void {
  draft.tell.push({ told: "event", event: { event: "notice", contact: draft.contact.name, text } })
}
