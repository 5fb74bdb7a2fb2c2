import { toHex } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { decodeSession } from "../session/snapshot.ts"
import type { Session } from "../session/state.ts"
import type {
  ContactId,
  ContactRecord,
  HeldRecord,
  LoadedState,
  OpenBundleRecord,
  OutgoingRecord,
} from "../store/records.ts"
import { SHORT_MID_BYTES } from "../wire/frame.ts"
import type { Change } from "./decision.ts"

/** All that the engine holds in memory: what `Opening` says, with sessions decoded and indexes to find things by. */
export type Book = {
  readonly contacts: Map<ContactId, ContactRecord>
  readonly sessions: Map<ContactId, Session>
  /** In the order in which they are to be published. */
  readonly outgoing: Map<number, OutgoingRecord>
  /** By INIT tag in hex. */
  readonly bundles: Map<string, OpenBundleRecord>
  readonly settings: Map<string, Uint8Array>
  /** Contact by mailbox in hex. */
  readonly mailboxes: Map<string, ContactId>
  /** Sequence number of a frame by contact and short message id: its own, and that of the text which it carries. */
  readonly letters: Map<string, number>
  readonly carriers: Map<string, number>
  /** What waits in the outbox for each contact. */
  readonly loads: Map<ContactId, { readonly letters: number; readonly bytes: number }>
  /** Texts that wait for those before them; a map is replaced, never changed. */
  readonly held: Map<ContactId, ReadonlyMap<number, HeldRecord>>
  nextContact: ContactId
  nextOutgoing: number
}

/** Faults `damaged-database` when a stored session cannot be read. */
export function openBook(opening: LoadedState): Book {
  const book: Book = {
    contacts: new Map(),
    sessions: new Map(),
    outgoing: new Map(),
    bundles: new Map(),
    settings: new Map(opening.settings),
    mailboxes: new Map(),
    letters: new Map(),
    carriers: new Map(),
    loads: new Map(),
    held: new Map(),
    nextContact: opening.nextContact,
    nextOutgoing: opening.nextOutgoing,
  }
  for (const contact of opening.contacts) apply(book, { kind: "contact", contact })
  for (const [contact, snapshot] of opening.snapshots) {
    apply(book, { kind: "session", contact, session: readSession(snapshot) })
  }
  for (const outgoing of opening.outgoing) apply(book, { kind: "outgoing", outgoing })
  for (const held of opening.held) apply(book, { kind: "held", held })
  for (const bundle of opening.openBundles) apply(book, { kind: "open-bundle", bundle })
  return book
}

/** Records and sessions are never changed in place, so the copy shares them. */
export function copyBook(book: Book): Book {
  return {
    ...book,
    contacts: new Map(book.contacts),
    sessions: new Map(book.sessions),
    outgoing: new Map(book.outgoing),
    bundles: new Map(book.bundles),
    settings: new Map(book.settings),
    mailboxes: new Map(book.mailboxes),
    letters: new Map(book.letters),
    carriers: new Map(book.carriers),
    loads: new Map(book.loads),
    held: new Map(book.held),
  }
}

function readSession(snapshot: Uint8Array): Session {
  const session = decodeSession(snapshot)
  if (session === undefined) throw new Fault("damaged-database", "a stored session cannot be read")
  return session
}

/** Changes the memory as the disk will be changed; messages are on the disk only. */
export function apply(book: Book, change: Change): void {
  switch (change.kind) {
    case "contact":
      putContact(book, change.contact)
      return
    case "forget-contact":
      forgetContact(book, change.id)
      return
    case "session":
      book.sessions.set(change.contact, change.session)
      return
    case "outgoing":
      putOutgoing(book, change.outgoing)
      return
    case "outgoing-done":
      removeOutgoing(book, change.seq)
      return
    case "open-bundle":
      book.bundles.set(toHex(change.bundle.tag), change.bundle)
      return
    case "close-bundle":
      book.bundles.delete(toHex(change.tag))
      return
    case "setting":
      book.settings.set(change.key, change.value)
      return
    case "held":
      editHeld(book, change.held.contact, (held) => held.set(change.held.number, change.held))
      return
    case "held-done":
      editHeld(book, change.contact, (held) => held.delete(change.number))
      return
    case "message":
    case "message-state":
    case "shown":
    case "expire":
    case "adopt-history":
      return
  }
}

export function letterKey(contact: ContactId, mid8: Uint8Array): string {
  return `${contact}/${toHex(mid8)}`
}

function putContact(book: Book, contact: ContactRecord): void {
  const before = book.contacts.get(contact.id)
  if (before !== undefined) book.mailboxes.delete(toHex(before.mailbox))
  book.contacts.set(contact.id, contact)
  book.mailboxes.set(toHex(contact.mailbox), contact.id)
  book.nextContact = Math.max(book.nextContact, contact.id + 1)
}

function forgetContact(book: Book, id: ContactId): void {
  const contact = book.contacts.get(id)
  if (contact !== undefined) book.mailboxes.delete(toHex(contact.mailbox))
  book.contacts.delete(id)
  book.sessions.delete(id)
  book.held.delete(id)
  for (const outgoing of book.outgoing.values()) {
    if (outgoing.contact === id) removeOutgoing(book, outgoing.seq)
  }
  for (const [tag, bundle] of book.bundles) {
    if (bundle.contact === id) book.bundles.delete(tag)
  }
}

function putOutgoing(book: Book, outgoing: OutgoingRecord): void {
  if (!book.outgoing.has(outgoing.seq)) weigh(book, outgoing, 1)
  book.outgoing.set(outgoing.seq, outgoing)
  book.letters.set(letterKey(outgoing.contact, outgoing.mid), outgoing.seq)
  if (outgoing.carries !== undefined) book.carriers.set(carrierKey(outgoing, outgoing.carries), outgoing.seq)
  book.nextOutgoing = Math.max(book.nextOutgoing, outgoing.seq + 1)
}

function removeOutgoing(book: Book, seq: number): void {
  const outgoing = book.outgoing.get(seq)
  if (outgoing === undefined) return
  weigh(book, outgoing, -1)
  book.outgoing.delete(seq)
  book.letters.delete(letterKey(outgoing.contact, outgoing.mid))
  if (outgoing.carries !== undefined) book.carriers.delete(carrierKey(outgoing, outgoing.carries))
}

function weigh(book: Book, { contact, wire }: OutgoingRecord, sign: 1 | -1): void {
  const { letters, bytes } = book.loads.get(contact) ?? { letters: 0, bytes: 0 }
  book.loads.set(contact, { letters: letters + sign, bytes: bytes + sign * wire.length })
}

function carrierKey({ contact }: OutgoingRecord, { mid }: { mid: Uint8Array }): string {
  return letterKey(contact, mid.subarray(0, SHORT_MID_BYTES))
}

function editHeld(book: Book, contact: ContactId, edit: (held: Map<number, HeldRecord>) => void): void {
  const held = new Map(book.held.get(contact))
  edit(held)
  if (held.size === 0) book.held.delete(contact)
  else book.held.set(contact, held)
}
