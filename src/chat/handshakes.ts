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
import type { Change, Decision } from "./decision.ts"
import { dropped, withRecoveryBundle, type Received } from "./inbound.ts"
import { enclose, joinInbox, post, seconds, settle, type Draft, type Moment } from "./outbound.ts"
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
  const met: Met = { before, established: started.established, mailbox: inbox.mailbox, state: "init-sent" }
  const draft = admit(book, met, placeholderName(identity), moment)
  keepRecoveryBundle(draft, recovery, started.established)
  const { contact, seq: letter } = draft
  enclose(draft, {
    contact: contact.id,
    kind: "init",
    topic: inboxTopic(bundle.inbox),
    wire: started.init,
    mid: started.mid,
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

  const wanted = offeredName(greeting.name) ?? placeholderName(identity)
  const met: Met = { before, established, mailbox: record.mailbox, state: "unconfirmed" }
  const draft = admit(book, met, wanted, moment)
  draft.contact = withRecoveryBundle(draft.contact, greeting.recoveryBundle, seconds(moment))
  const inbox = { device: open.open.bundle.inbox.device, mailbox: record.mailbox }
  const recovery = recoveryBundle(self.identity, inbox, moment)
  keepRecoveryBundle(draft, recovery, established)
  draft.changes.push({ write: "close-bundle", tag: record.tag })
  draft.changes.push(markSeen(book.settings, draft.contact.id, init))
  if (post(draft, "control", [hello(self, recovery)]).kind === "refused") return dropped("malformed")
  const { id, name } = draft.contact
  const renamedFrom = before === undefined && name !== wanted ? wanted : null
  return settle(book, draft, { kind: "accepted", contact: id, before, renamedFrom })
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
    id,
    identity: encodeIdentity(established.peer),
    name: before?.name ?? freeName(book, wanted, undefined),
    state,
    verified: before?.verified ?? false,
    blocked: false,
    peerInbox: joinInbox(established.peerInbox),
    mailbox,
    sas: established.sas,
    recoverySecret: established.recoverySecret,
    recoveryBundle: new Uint8Array(0),
    addedAt: before?.addedAt ?? moment.now,
  }
  const changes: Change[] = before === undefined ? [] : endSession(book, id)
  return {
    contact,
    session: established.session,
    receipts: [],
    receiptsBefore: [],
    seq: book.nextOutgoing,
    moment,
    changes,
    tell: [],
  }
}

function endSession(book: Book, id: ContactId): Change[] {
  const changes: Change[] = []
  for (const letter of book.outgoing.values()) {
    if (letter.contact === id) changes.push({ write: "outgoing-done", seq: letter.seq })
  }
  for (const bundle of book.bundles.values()) {
    if (bundle.contact === id) changes.push({ write: "close-bundle", tag: bundle.tag })
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
