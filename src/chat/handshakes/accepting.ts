import { respond, type Established } from "../../session/handshake.ts"
import type { ContactId, ContactRecord, OpenBundleRecord } from "../../store/records.ts"
import { encodeIdentity } from "../../wire/identity.ts"
import { admit } from "./admitting.ts"
import type { Book } from "../book.ts"
import { readBundleSecrets } from "./bundles.ts"
import type { Handshake } from "../contacts/state.ts"
import { findIdentity, offeredName, placeholderName } from "../contacts/contacts.ts"
import type { Decision } from "../decision.ts"
import { seconds, settle, type Draft, type Moment } from "../draft.ts"
import { oursWins, rememberInit } from "./establishing.ts"
import { isSameDevice, rememberFormer } from "./former.ts"
import { dropped, withRecoveryBundle, type Received } from "../receiving/inbound.ts"
import { hello, keepRecoveryBundle, recoveryBundle, type Self } from "./introducing.ts"
import { showLine } from "../lines.ts"
import { messageId } from "../message-id.ts"
import { post } from "../sending/outbound.ts"
import { isInsisted, loseInit } from "./recovery.ts"
import { markSeen } from "../receiving/seen.ts"

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
  const { open, mode, psk } = readBundleSecrets(record)
  const answer = respond({ identity: self.identity, open, psk, mode }, init)
  if (answer.kind === "refused") return dropped("forged")
  const { established } = answer
  const greeting = answer.frames.find((frame) => frame.kind === "hello")
  if (greeting === undefined) return dropped("malformed")
  const identity = encodeIdentity(established.peer)
  const before = findIdentity(book, identity)
  const why = unwelcome(record, before)
  if (why !== undefined) return dropped(why)
  if (before !== undefined && isOvertaken(record, before, established, self)) {
    if (!isInsisted(book, before.id, init, moment.now)) return overtaken(book, before.id, init, moment)
  }

  const wanted = offeredName(greeting.name) ?? placeholderName(identity)
  const mailbox = mailboxFor(record, before)
  const draft = admit(book, { before, established, mailbox, by: handshakeOf(record) }, wanted, moment)
  draft.contact = withRecoveryBundle(draft.contact, greeting.recoveryBundle, seconds(moment))
  const recovery = recoveryBundle(self.identity, { device: open.bundle.inbox.device, mailbox }, moment)
  keepRecoveryBundle(draft, recovery, established)
  if (before !== undefined) draft.changes.push(...rememberFormer(book, before, draft.contact, moment))
  remember(book, draft, record, init)
  const welcome = { kind: "control", frames: [hello(self, recovery)] } as const
  if (post(draft, welcome).kind === "refused") return dropped("malformed")
  const { id, name } = draft.contact
  const renamedFrom = before === undefined && name !== wanted ? wanted : null
  return settle(book, draft, { kind: "accepted", contact: id, before, renamedFrom })
}

/** Nothing that was not known before. */
export const AGAIN: Received = { kind: "again", receiptsWait: false }

/** Both began at once and ours counts: our own INIT is the answer, unless it went to a machine that they have left. */
function isOvertaken(
  record: OpenBundleRecord,
  before: ContactRecord,
  { peerInbox }: Established,
  self: Self,
): boolean {
  return record.contact !== null && oursWins(before, self.identity.public) && isSameDevice(before, peerInbox)
}

function overtaken(book: Book, id: ContactId, init: Uint8Array, { now }: Moment): Decision<Received> {
  return { commit: loseInit(book, id, init, now), tell: [], result: AGAIN }
}

function unwelcome(
  { contact }: OpenBundleRecord,
  before: ContactRecord | undefined,
): "blocked" | "forged" | undefined {
  if (before?.blocked === true) return "blocked"
  // A recovery never changes who somebody is [D-31].
  return contact !== null && before?.id !== contact ? "forged" : undefined
}

function handshakeOf({ contact }: OpenBundleRecord): Handshake {
  return contact === null ? "they answer our offer" : "they begin anew"
}

/** A recovery bundle may name an older mailbox than the one that its contact has now. */
function mailboxFor(record: OpenBundleRecord, before: ContactRecord | undefined): Uint8Array {
  return record.contact === null || before === undefined ? record.mailbox : before.mailbox
}

/** An offer is used up; a recovery bundle serves until the new session is confirmed. */
function remember(book: Book, draft: Draft, { contact, tag }: OpenBundleRecord, init: Uint8Array): void {
  const { id, name } = draft.contact
  if (contact === null) draft.changes.push({ kind: "close-bundle", tag })
  else showLine(draft, `the connection with ${name} was made anew`)
  draft.changes.push(rememberInit(book, id, init), markSeen(book.settings, id, "passing", messageId(init)))
}
