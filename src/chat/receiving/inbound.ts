import { toHex } from "../../crypto/bytes.ts"
import { readBundle } from "../../session/bundle.ts"
import { onPqFrame } from "../../session/pq.ts"
import { open } from "../../session/ratchet.ts"
import type { ContactId, ContactRecord } from "../../store/records.ts"
import { LIST_MAX, SHORT_MID_BYTES, type Frame } from "../../wire/frame.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import { readText } from "../../wire/text.ts"
import type { Event } from "../api.ts"
import type { Book } from "../book.ts"
import { freeName, offeredName, placeholderName } from "../contacts/contacts.ts"
import { noChange, type Decision } from "../decision.ts"
import { draftFor, seconds, settle, type Draft, type Moment } from "../draft.ts"
import { confirm, wasAccepted } from "../handshakes/establishing.ts"
import { hearAck, hearAgain, hearRead } from "./hearing-receipts.ts"
import { showLine } from "../lines.ts"
import { messageId } from "../message-id.ts"
import { post, takePostQuantumStep } from "../sending/outbound.ts"
import { placeGone, placeText } from "./placing.ts"
import { markSeen, seenAs } from "./seen.ts"
import { hearTimer } from "../contacts/timers.ts"

export type Received =
  /** On disk with all that follows from it. */
  | { readonly kind: "committed"; readonly receiptsWait: boolean }
  /** Seen before: nothing changed, or its receipt waits to be sent again. */
  | { readonly kind: "again"; readonly receiptsWait: boolean }
  | {
      readonly kind: "refused"
      readonly why: "blocked" | "malformed" | "unknown-tag" | "forged" | "too-far-ahead" | "unknown-kem"
    }

/** A frame is acknowledged to the broker whatever it was, but not before what follows from it is on disk [D-2]. */
export const INBOUND_MOVES = {
  arrived: { "it opens": "committed", "it came before": "again", "it does not open": "refused" },
  committed: { "after the commit": "acknowledged" },
  again: { "after the commit": "acknowledged" },
  refused: { "after it is counted": "acknowledged" },
  acknowledged: {},
} as const satisfies Record<string, Readonly<Record<string, Received["kind"] | "acknowledged">>>
const { arrived } = INBOUND_MOVES

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
  const news: News = { book, draft, mid: opened.mid, frames: opened.frames }
  for (const frame of heeded(opened.frames)) hear(news, frame)
  const isOwed = opened.frames.some(wantsReceipt)
  if (isOwed) draft.receipts = [...draft.receipts, opened.mid.slice(0, SHORT_MID_BYTES)]
  // A frame full of them waits for no more.
  if (draft.receipts.length >= LIST_MAX) post(draft, { kind: "passing", frames: [] })
  const leavesTrace = opened.frames.some(({ kind }) => kind === "text")
  if (!leavesTrace) {
    draft.changes.push(markSeen(book.settings, from, isOwed ? "owed" : "passing", opened.mid))
  }
  takePostQuantumStep(draft)
  return settle(book, draft, { kind: arrived["it opens"], receiptsWait: draft.receipts.length > 0 })
}

/** A message of ours says each of them once [D-25]; a thousand in one would make us work for minutes. */
const ONCE: ReadonlySet<Frame["kind"]> = new Set([
  "hello",
  "recovery-bundle",
  "pq-ek",
  "pq-ct",
  "topic",
  "timer",
  "moved",
  "again",
  "gone",
])

/** Receipts first: what arrived is told before what was read [D-25]. */
function heeded(frames: readonly Frame[]): Frame[] {
  const said = new Set<Frame["kind"]>()
  const acks = frames.filter(({ kind }) => kind === "ack")
  const others = frames.filter(({ kind }) => {
    if (kind === "ack" || (ONCE.has(kind) && said.has(kind))) return false
    said.add(kind)
    return true
  })
  return [...acks, ...others]
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
  return settle(book, draft, { kind: arrived["it came before"], receiptsWait: true })
}

export function dropped(why: Extract<Received, { kind: "refused" }>["why"]): Decision<Received> {
  return { commit: [], tell: [{ told: "dropped" }], result: { kind: arrived["it does not open"], why } }
}

type News = {
  readonly book: Book
  readonly draft: Draft
  readonly mid: Uint8Array
  /** All that the message says. */
  readonly frames: readonly Frame[]
}

function again(book: Book, draft: Draft, wire: Uint8Array): Decision<Received> {
  const { contact, moment } = draft
  const mid = messageId(wire)
  const as = seenAs(book.settings, contact.id, mid)
  if (as === "owed") return repeatReceipt(book, contact.id, mid, moment)
  // An INIT that was answered, too: its WELCOME is in the outbox until the peer has it.
  if (as === "passing" || wasAccepted(book, contact.id, wire)) {
    return noChange({ kind: arrived["it came before"], receiptsWait: false })
  }
  return noChange({ kind: arrived["it does not open"], why: "unknown-tag" })
}

/** What the peer has to know that we have. A receipt for a receipt, or for being told to stop, would never end [W-34]. */
function wantsReceipt({ kind }: Frame): boolean {
  return !["ack", "typing", "again", "moved", "nop"].includes(kind)
}

function hear(news: News, frame: Frame): void {
  const { book, draft } = news
  switch (frame.kind) {
    case "text":
      hearText(news, frame)
      return
    case "ack":
      for (const mid8 of frame.mids) hearAck(book, draft, mid8)
      return
    case "read":
      for (const mid8 of frame.mids) hearRead(book, draft, mid8)
      return
    case "again":
      hearAgain(book, draft, frame.numbers)
      return
    case "gone":
      placeGone(draft, book, frame.numbers)
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
    case "timer":
      hearTimer(draft, frame)
      return
    case "typing":
      notify(draft, { event: "typing", contact: draft.contact.name, typing: frame.typing })
      return
    case "moved":
      hearMoved(draft, frame.at)
      return
    case "unknown":
      notice(draft, `${draft.contact.name} sent something that this version of mqttchat does not know`)
      return
    case "number":
    case "original":
    case "topic-ok":
    case "nop":
      return
  }
}

/** One message says one text; what goes with it says how it is to be taken. */
function hearText({ book, draft, mid, frames }: News, frame: Extract<Frame, { kind: "text" }>): void {
  const isFirst = frames.find(({ kind }) => kind === "text") === frame
  const text = isFirst ? readText(frame.text) : undefined
  const number = find(frames, "number")?.number
  if (text === undefined) {
    notice(draft, `${draft.contact.name} sent a message that is no text`)
    if (isFirst && number !== undefined) placeGone(draft, book, [number])
    return
  }
  const original = find(frames, "original")?.mid ?? new Uint8Array(0)
  const timer = find(frames, "timer")?.seconds ?? 0
  placeText(draft, book, number, { mid, text, original, timer, sentAt: frame.time })
}

function find<Kind extends Frame["kind"]>(
  frames: readonly Frame[],
  kind: Kind,
): Extract<Frame, { kind: Kind }> | undefined {
  return frames.find((frame): frame is Extract<Frame, { kind: Kind }> => frame.kind === kind)
}

function hearWelcome({ book, draft }: News, offered: Uint8Array, recoveryBundle: Uint8Array): void {
  const { contact } = draft
  const unnamed = contact.name === placeholderName(contact.identity)
  const wanted = unnamed ? offeredName(offered) : undefined
  const name = wanted === undefined ? contact.name : freeName(book, wanted, contact.id)
  draft.contact = withRecoveryBundle({ ...contact, name }, recoveryBundle, seconds(draft.moment))
  if (book.contacts.get(contact.id)?.state === "recovering") return
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
  if (post(draft, { kind: "control", frames: [reply] }).kind === "refused") draft.session = before
}

function hearTopic(draft: Draft, mailbox: Uint8Array): void {
  const { contact } = draft
  const device = contact.peerInbox.slice(0, contact.peerInbox.length - mailbox.length)
  draft.contact = { ...contact, peerInbox: new Uint8Array(Buffer.concat([device, mailbox])) }
  post(draft, { kind: "control", frames: [{ kind: "topic-ok", mailbox }] })
}

/** They talk with our identity on another device now; who may speak for it is theirs to judge, so only they are lost. */
function hearMoved(draft: Draft, at: number): void {
  if (draft.contact.movedAt !== 0) return
  draft.contact = { ...draft.contact, movedAt: Math.max(at, 1) }
  showLine(
    draft,
    `${draft.contact.name} talks with you on another device of yours now; nothing more is sent from here`,
  )
}

function notify(draft: Draft, event: Event): void {
  draft.tell.push({ told: "event", event })
}

function notice(draft: Draft, text: string): void {
  notify(draft, { event: "notice", contact: draft.contact.name, text })
}
