import { Fault } from "../errors.ts"
import { encodeOpenBundle, makeBundle, type OpenBundle } from "../session/bundle.ts"
import { initiate, initTag, MODE, recoveryPsk, respond, type Established } from "../session/handshake.ts"
import type { ContactId, ContactRecord, ContactState, OpenBundleRecord } from "../store/records.ts"
import { NAME_MAX_BYTES, type Frame } from "../wire/frame.ts"
import { encodeIdentity, type IdentityKeys } from "../wire/identity.ts"
import { inboxTopic, type Inbox } from "../wire/topics.ts"
import { readBundleSecrets } from "./bundles.ts"
import type { Book } from "./book.ts"
import { findIdentity, freeName, offeredName, placeholderName } from "./contacts.ts"
import { noChange, type Change, type Decision } from "./decision.ts"
import { dropped, withRecoveryBundle, type Received } from "./inbound.ts"
import { seconds, settle, type Draft, type Moment } from "./draft.ts"
import { oursWins, rememberInit } from "./establishing.ts"
import { isSameDevice, rememberFormer } from "./former.ts"
import { showLine } from "./lines.ts"
import { messageId } from "./message-id.ts"
import { readOrder, START } from "./order.ts"
import { enclose, joinInbox, post, splitInbox } from "./outbound.ts"
import { closeAllGaps } from "./placing.ts"
import type { Answered } from "./ports.ts"
import { markSeen } from "./seen.ts"

/** A recovery bundle serves when everything else is lost, so it lives as long as a contact may: ten years. */
const RECOVERY_LIFE_S = 10 * 365 * 24 * 60 * 60

/** Who we are in a handshake. */
export type Self = { readonly identity: IdentityKeys; readonly name: string }

export type Started = {
  readonly contact: ContactId
  readonly before: ContactRecord | undefined
  /** Number of the INIT in the outbox. */
  readonly letter: number
}

/** The answer to a bundle: contact, session and INIT. Faults `protocol` or `refused` when it cannot be answered. */
export function startHandshake(
  book: Book,
  self: Self,
  answered: Answered,
  moment: Moment,
): Decision<Started> {
  const { bundle, mode, psk, inbox } = answered
  const identity = encodeIdentity(bundle.owner)
  const before = findIdentity(book, identity)
  if (before?.blocked === true) {
    throw new Fault("refused", `${before.name} is blocked`, `mqttchat contacts unblock ${before.name}`)
  }
  const recovery = recoveryBundle(self.identity, inbox, moment)
  const frames = [hello(self, recovery)]
  const started = initiate({ identity: self.identity, inbox, bundle, psk, mode, frames }, moment.random)
  if (started.kind === "refused") throw unanswerable(started.why)
  // A recovery bundle was made long ago: they receive where they said last.
  const isRecovery = mode === MODE.recovery && before !== undefined
  const peerInbox = isRecovery ? splitInbox(before.peerInbox) : bundle.inbox
  const established = { ...started.established, peerInbox }
  const state = isRecovery ? "recovering" : "init-sent"
  const met: Met = { before, established, mailbox: inbox.mailbox, state }
  const draft = admit(book, met, placeholderName(identity), moment)
  keepRecoveryBundle(draft, recovery, established)
  const { contact, seq: letter } = draft
  enclose(draft, {
    contact: contact.id,
    kind: "init",
    topic: inboxTopic(peerInbox),
    wire: started.init,
    mid: started.mid,
    carries: undefined,
  })
  return settle(book, draft, { contact: contact.id, before, letter })
}

function unanswerable(why: string): Fault {
  if (why === "own-bundle") {
    return new Fault("refused", "this is an offer of your own", "give it to somebody else")
  }
  return new Fault("protocol", `the offer cannot be answered (${why})`, "ask for a new one: mqttchat pair")
}

export type Accepted = {
  readonly kind: "accepted"
  readonly contact: ContactId
  readonly before: ContactRecord | undefined
  readonly renamedFrom: string | null
}

/** An INIT for an open bundle of ours: contact, session and WELCOME, and the bundle's secrets gone. */
export function acceptHandshake(
  book: Book,
  self: Self,
  invited: { readonly record: OpenBundleRecord; readonly init: Uint8Array },
  moment: Moment,
): Decision<Accepted | Received> {
  const { record, init } = invited
  const open = readBundleSecrets(record)
  const { mode, psk } = open
  const answer = respond({ identity: self.identity, open: open.open, psk, mode }, init)
  if (answer.kind === "refused") return dropped("forged")
  const { established } = answer
  const identity = encodeIdentity(established.peer)
  const before = findIdentity(book, identity)
  const greeting = answer.frames.find((frame) => frame.kind === "hello")
  if (greeting === undefined) return dropped("malformed")
  if (before?.blocked === true) return dropped("blocked")
  // A recovery never changes who somebody is.
  if (record.contact !== null && before?.id !== record.contact) return dropped("forged")
  if (record.contact !== null && isOvertaken(before, established, self)) {
    return noChange({ kind: "again", receiptsWait: false })
  }

  const wanted = offeredName(greeting.name) ?? placeholderName(identity)
  const mailbox = record.contact === null ? record.mailbox : (before?.mailbox ?? record.mailbox)
  const met: Met = { before, established, mailbox, state: "unconfirmed" }
  const draft = admit(book, met, wanted, moment)
  draft.contact = withRecoveryBundle(draft.contact, greeting.recoveryBundle, seconds(moment))
  const inbox = { device: open.open.bundle.inbox.device, mailbox }
  const recovery = recoveryBundle(self.identity, inbox, moment)
  keepRecoveryBundle(draft, recovery, established)
  if (record.contact !== null) showLine(draft, `the connection with ${draft.contact.name} was made anew`)
  if (before !== undefined) draft.changes.push(...rememberFormer(book, before, draft.contact, moment))
  if (record.contact === null) draft.changes.push({ write: "close-bundle", tag: record.tag })
  draft.changes.push(rememberInit(book, draft.contact.id, init))
  draft.changes.push(markSeen(book.settings, draft.contact.id, "passing", messageId(init)))
  const welcome = { kind: "control", frames: [hello(self, recovery)] } as const
  if (post(draft, welcome).kind === "refused") return dropped("malformed")
  const { id, name } = draft.contact
  const renamedFrom = before === undefined && name !== wanted ? wanted : null
  return settle(book, draft, { kind: "accepted", contact: id, before, renamedFrom })
}

/** Both began at once and ours counts: our own INIT is the answer, unless it went to a machine that they have left. */
function isOvertaken(before: ContactRecord | undefined, { peerInbox }: Established, self: Self): boolean {
  return before !== undefined && oursWins(before, self.identity.public) && isSameDevice(before, peerInbox)
}

/** Set while texts of a refreshed contact wait to be sent again in its new session. */
export function unsentKey(contact: ContactId): string {
  return `unsent/${contact}`
}

type Met = {
  readonly before: ContactRecord | undefined
  readonly established: Established
  readonly mailbox: Uint8Array
  readonly state: ContactState
}

/** A new contact, or a known one with everything of its old session gone. */
function admit(book: Book, met: Met, wanted: string, moment: Moment): Draft {
  const { before, established, mailbox, state } = met
  const id = before?.id ?? book.nextContact
  const contact: ContactRecord = {
    ...(before ?? NEWCOMER),
    id,
    identity: encodeIdentity(established.peer),
    name: before?.name ?? freeName(book, wanted, undefined),
    state,
    peerInbox: joinInbox(established.peerInbox),
    mailbox,
    sas: established.sas,
    recoverySecret: established.recoverySecret,
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
    changes: before === undefined ? [] : endSession(book, id),
    tell: [],
  }
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

function endSession(book: Book, id: ContactId): Change[] {
  const changes: Change[] = []
  for (const letter of book.outgoing.values()) {
    if (letter.contact === id) changes.push({ write: "outgoing-done", seq: letter.seq })
  }
  changes.push({ write: "setting", key: unsentKey(id), value: Uint8Array.of(1) })
  return changes
}

function recoveryBundle(identity: IdentityKeys, inbox: Inbox, moment: Moment): OpenBundle {
  const notAfter = seconds(moment) + RECOVERY_LIFE_S
  return makeBundle(identity, { multiUse: false, recovery: true, inbox, notAfter }, moment.random)
}

function keepRecoveryBundle(draft: Draft, open: OpenBundle, established: Established): void {
  const { bundle } = open
  const psk = recoveryPsk(bundle.hash, established.recoverySecret)
  draft.changes.push({
    write: "open-bundle",
    bundle: {
      tag: initTag(psk, bundle.hash),
      requestTag: new Uint8Array(0),
      mode: MODE.recovery,
      psk,
      open: encodeOpenBundle(open),
      mailbox: bundle.inbox.mailbox,
      contact: draft.contact.id,
      notAfter: bundle.notAfter,
    },
  })
}

function hello(self: Self, recovery: OpenBundle): Frame {
  return { kind: "hello", name: shortName(self.name), recoveryBundle: recovery.bundle.bytes }
}

/** At most 64 bytes, cut between characters. */
function shortName(name: string): Uint8Array {
  let bytes = new Uint8Array(0)
  for (const character of name) {
    const longer = Buffer.concat([bytes, Buffer.from(character, "utf8")])
    if (longer.length > NAME_MAX_BYTES) break
    bytes = new Uint8Array(longer)
  }
  return bytes
}
