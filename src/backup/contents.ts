import { utf8, type PublicKey, type SecretKey, type SigningKey } from "../crypto/bytes.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { readCredential, writeCredential, type StoredCredential } from "../keystore/credential.ts"
import type { ContactRecord, ConversationRecord, DeviceRecord } from "../store/records.ts"
import { ADDRESSES_BYTES_MAX, encodeProof, readProof, type BrokerProof } from "../wire/access.ts"
import {
  formatAddress,
  formatAddresses,
  parseAddress,
  parseAddresses,
  type Address,
  type Addresses,
} from "../wire/address.ts"
import { readLinks } from "../account/chain-link.ts"
import type { IntroducedBy } from "../store/introduction-record.ts"
import type { AccountLink } from "../store/account-record.ts"
import { decode, Writer, type Reader } from "../wire/codec.ts"
import { IDENTITY_BYTES } from "../wire/identity.ts"
import { readText } from "../wire/text.ts"
import { ID_BYTES } from "../wire/topics.ts"
import {
  ACCOUNT_ID_BYTES,
  AUTHOR_BYTES,
  BUNDLE_BYTES,
  DIGEST_BYTES,
  MESSAGE_ID_BYTES,
} from "../wire/sizes.ts"

import { readKnownId, writeKnownId, type BackupKnownId } from "./known-id.ts"
import { readChange, writeChange, type BackupChange } from "./message-change.ts"
import type {
  MessageState,
  NewMessage,
  Recipient,
  ReplyTo,
  StoredMessage,
  SupersededKey,
} from "../store/message-records.ts"
import type { ContactId } from "../store/ids.ts"

/** Where the profile receives, without what a connection learns by itself. */
export type BackupBroker = {
  readonly nodes: Addresses
  readonly guests?: Address
  readonly proof: BrokerProof
  readonly registrar?: PublicKey
}

/** The profile's identity, and its credential at its broker. */
export type BackupProfile = {
  readonly signSecret: SigningKey
  readonly boxSecret: SecretKey
  readonly name: string
  readonly broker: BackupBroker | undefined
  /** Never a device's certificate and key; the device id of an account is empty. */
  readonly credential: StoredCredential | undefined
}

export type BackupContact = Pick<
  ContactRecord,
  | "id"
  | "name"
  | (typeof CONTACT_FLAGS)[number]
  | "addedAt"
  | "changedAt"
  | "comparedLinks"
  | "lockedAt"
  | "receiptDelay"
  | "introducedBy"
> &
  /** Of the conversation with it. */
  Pick<ConversationRecord, "timer" | "timerSetAt" | "mutedUntil" | "draft">
/** A device of a contact without its session and what depends on that: who reads the backup makes a new session. */
export type BackupDevice = Pick<
  DeviceRecord,
  "contact" | "key" | "peerInbox" | "mailbox" | "recoverySecret" | "recoveryBundle"
>
/** A link of the account of a contact, or of our own: contact 0. Branch 1 is the other side of a fork. */
export type BackupLink = AccountLink & { readonly contact: number }
/** A message of the conversation with a contact, as it was sent: what became of it is in records of its own. */
export type BackupMessage = Omit<NewMessage, "conversation" | "author"> &
  Pick<StoredMessage, "supersededKey"> & {
    readonly contact: ContactId
    readonly mine: boolean
    /** Of ours only. */
    readonly recipients: readonly Recipient[]
    /** One device of the contact has acknowledged it, and another has not: that one gets it from where the backup is read. */
    readonly isPending: boolean
  }

/** One record of a backup [B-3]. */
export type BackupRecord =
  | { readonly record: "profile"; readonly profile: BackupProfile }
  | { readonly record: "contact"; readonly contact: BackupContact }
  | { readonly record: "device"; readonly device: BackupDevice }
  | { readonly record: "message"; readonly message: BackupMessage }
  | { readonly record: "link"; readonly link: BackupLink }
  | { readonly record: "change"; readonly change: BackupChange }
  | { readonly record: "known-id"; readonly known: BackupKnownId }

const KIND = { profile: 1, contact: 2, device: 3, message: 4, link: 5, change: 6, "known-id": 7 } as const
/** A name has at most 33 characters of four bytes, and a number after it. */
const NAME_BYTES_MAX = 256
/** As many as a group has members apart from us. */
const RECIPIENTS_MAX = 127
/** The longest text is a little shorter than the longest payload of the wire; recipients take 13 bytes each. */
export const RECORD_BYTES_MAX = 65_536 + 2048

const STATES = ["queued", "broker", "delivered", "read", "given-up", "cancelled", "received"] as const
const CONTACT_FLAGS = ["verified", "blocked", "readReceipts", "typing"] as const
/** After the flags above. */
const INTRODUCED = 16
const MINE = 1
const LINE = 2
const SHOWN = 4
const ANSWER = 8
const OF_COMPARED_KEY = 16
const OF_UNCOMPARED_KEY = 32
const PENDING = 64
const MESSAGE_FLAGS = MINE | LINE | SHOWN | ANSWER | OF_COMPARED_KEY | OF_UNCOMPARED_KEY | PENDING

export function encodeRecord(record: BackupRecord): Uint8Array {
  const writer = new Writer().u8(KIND[record.record])
  switch (record.record) {
    case "profile":
      writeProfile(writer, record.profile)
      break
    case "contact":
      writeContact(writer, record.contact)
      break
    case "device":
      writeDevice(writer, record.device)
      break
    case "link":
      writeLink(writer, record.link)
      break
    case "message":
      writeMessage(writer, record.message)
      break
    case "change":
      writeChange(writer, record.change)
      break
    case "known-id":
      writeKnownId(writer, record.known)
  }
  return writer.done()
}

/** Undefined for anything that `encodeRecord` would not write exactly so. */
export function decodeRecord(bytes: Uint8Array): BackupRecord | undefined {
  if (bytes.length > RECORD_BYTES_MAX) return undefined
  return decode(bytes, (reader) => {
    switch (reader.u8()) {
      case KIND.profile:
        return { record: "profile", profile: readProfile(reader) }
      case KIND.contact:
        return { record: "contact", contact: readContact(reader) }
      case KIND.device:
        return { record: "device", device: readDevice(reader) }
      case KIND.link:
        return { record: "link", link: readLink(reader) }
      case KIND.message:
        return { record: "message", message: readMessage(reader) }
      case KIND.change:
        return { record: "change", change: readChange(reader) }
      case KIND["known-id"]:
        return { record: "known-id", known: readKnownId(reader) }
      default:
        return undefined
    }
  })
}

/** signing secret 32 | box secret 32 | name | broker | credential as in the key file [B-4]. */
function writeProfile(writer: Writer, profile: BackupProfile): void {
  const { signSecret, boxSecret, name, broker, credential } = profile
  writer.bytes(signSecret).bytes(boxSecret).text(name)
  writer.u8(broker === undefined ? 0 : 1)
  if (broker !== undefined) writeBroker(writer, broker)
  writeCredential(writer, credential)
}

function readProfile(reader: Reader): BackupProfile {
  const signSecret = reader.bytes(KEY_BYTES) as SigningKey
  const boxSecret = reader.bytes(KEY_BYTES) as SecretKey
  const name = reader.text(NAME_BYTES_MAX)
  const broker = reader.flag() ? readBroker(reader) : undefined
  const credential = readCredential(reader)
  const isPortable = credential?.kind !== "device" && !(credential?.kind === "account" && credential.deviceId)
  if (name === "" || !isPortable) reader.refuse()
  return { signSecret, boxSecret, name, broker, credential }
}

/** proof | addresses | guests' address or empty | registrar's key 32 after a u8 of 0 or 1. */
function writeBroker(writer: Writer, { nodes, guests, proof, registrar }: BackupBroker): void {
  writer.bytes(encodeProof(proof)).text(formatAddresses(nodes))
  writer.text(guests === undefined ? "" : formatAddress(guests))
  writer.u8(registrar === undefined ? 0 : 1)
  if (registrar !== undefined) writer.bytes(registrar)
}

function readBroker(reader: Reader): BackupBroker | undefined {
  const proof = readProof(reader)
  const nodeAddresses = reader.text(ADDRESSES_BYTES_MAX)
  const guestAddress = reader.text(ADDRESSES_BYTES_MAX)
  const registrar = reader.flag() ? (reader.bytes(KEY_BYTES) as PublicKey) : undefined
  const nodes = parseAddresses(nodeAddresses)
  const guests = guestAddress === "" ? undefined : parseAddress(guestAddress)
  const isCanonical = nodes !== undefined && formatAddresses(nodes) === nodeAddresses
  // A registrar gives certificates, which need TLS.
  const isContradiction = proof.kind === "insecure" && registrar !== undefined
  const isGuestsCanonical = (guests === undefined ? "" : formatAddress(guests)) === guestAddress
  if (!isCanonical || !isGuestsCanonical || isContradiction) {
    reader.refuse()
    return undefined
  }
  return { nodes, ...(guests && { guests }), proof, ...(registrar && { registrar }) }
}

/** Fixed fields, then the name after its length [B-5]. */
function writeContact(writer: Writer, contact: BackupContact): void {
  const flags = CONTACT_FLAGS.reduce((bits, name, at) => bits | (contact[name] ? 1 << at : 0), 0)
  const { introducedBy } = contact
  writer.u32(contact.id).u8(flags | (introducedBy === undefined ? 0 : INTRODUCED))
  writer.u64(contact.addedAt).u64(contact.changedAt).u32(contact.receiptDelay)
  writer.u32(contact.timer).u64(contact.timerSetAt)
  writer.u16(contact.comparedLinks).u64(contact.lockedAt).u64(contact.mutedUntil)
  writer.text(contact.name)
  if (introducedBy !== undefined) writer.bytes(introducedBy.account).text(introducedBy.name)
  writer.bytes(utf8(contact.draft))
}

function readIntroducer(reader: Reader): IntroducedBy {
  const account = reader.bytes(ACCOUNT_ID_BYTES)
  return { account, name: reader.text(NAME_BYTES_MAX) }
}

function readContact(reader: Reader): BackupContact {
  const id = reader.u32()
  const flags = reader.u8()
  const fixed = {
    addedAt: reader.u64(),
    changedAt: reader.u64(),
    receiptDelay: reader.u32(),
    timer: reader.u32(),
    timerSetAt: reader.u64(),
    comparedLinks: reader.u16(),
    lockedAt: reader.u64(),
    mutedUntil: reader.u64(),
  }
  const name = reader.text(NAME_BYTES_MAX)
  const introducedBy = (flags & INTRODUCED) === 0 ? undefined : readIntroducer(reader)
  const draft = readText(reader.rest())
  if (id === 0 || flags >= 2 * INTRODUCED || name === "" || draft === undefined) reader.refuse()
  const [verified, blocked, readReceipts, typing] = CONTACT_FLAGS.map((_, at) => (flags & (1 << at)) !== 0)
  return {
    ...{ id, ...fixed, name, introducedBy, draft: draft ?? "" },
    ...{ verified: verified === true, blocked: blocked === true },
    ...{ readReceipts: readReceipts === true, typing: typing === true },
  }
}

/** contact u32 | branch u8 | the link as the rest [B-10]. */
function writeLink(writer: Writer, { contact, branch, link }: BackupLink): void {
  writer.u32(contact).u8(branch).bytes(link)
}

function readLink(reader: Reader): BackupLink {
  const contact = reader.u32()
  const branch = reader.u8()
  const link = reader.rest()
  const { links, end } = readLinks(link)
  if (branch > 1 || links.length !== 1 || end !== "whole") reader.refuse()
  return { contact, branch, number: links[0]?.number ?? 0, link }
}

/** Fixed fields, then the recovery bundle after its length [B-8]. */
function writeDevice(writer: Writer, device: BackupDevice): void {
  writer.u32(device.contact).bytes(device.key).bytes(device.peerInbox).bytes(device.mailbox)
  writer.bytes(device.recoverySecret).lv16(device.recoveryBundle)
}

function readDevice(reader: Reader): BackupDevice {
  const device = {
    contact: reader.u32(),
    key: reader.bytes(IDENTITY_BYTES),
    peerInbox: reader.bytes(2 * ID_BYTES),
    mailbox: reader.bytes(ID_BYTES),
    recoverySecret: reader.bytes(KEY_BYTES),
    recoveryBundle: reader.lv16(BUNDLE_BYTES),
  }
  const { length } = device.recoveryBundle
  if (length !== 0 && length !== BUNDLE_BYTES) reader.refuse()
  return device
}

/** Fixed fields, the digest of a text, the recipients of one of ours, what it answers, and the text as the rest [B-6]. */
function writeMessage(writer: Writer, message: BackupMessage): void {
  const { mine, digest, recipients, replyTo } = message
  writer.u32(message.contact).bytes(message.id).u8(flagsOf(message))
  writer.u8(STATES.indexOf(message.state)).u64(message.sentAt).u64(message.storedAt)
  writer.u32(message.timer).u64(message.expiresAt)
  writer.bytes(digest)
  if (mine) writeRecipients(writer, recipients)
  if (replyTo !== undefined) writer.bytes(replyTo.author).bytes(replyTo.id).bytes(replyTo.digest)
  writer.bytes(utf8(message.text))
}

function flagsOf({ mine, kind, shown, replyTo, supersededKey, isPending }: BackupMessage): number {
  const of = (mine ? MINE : 0) | (kind === "line" ? LINE : 0) | (isPending ? PENDING : 0)
  const what = of | (shown ? SHOWN : 0) | (replyTo ? ANSWER : 0)
  if (supersededKey === undefined) return what
  return what | (supersededKey === "compared" ? OF_COMPARED_KEY : OF_UNCOMPARED_KEY)
}

/** Undefined for the present key of the contact. */
function readSupersededKey(reader: Reader, flags: number): SupersededKey | undefined {
  const [isCompared, isUncompared] = [(flags & OF_COMPARED_KEY) !== 0, (flags & OF_UNCOMPARED_KEY) !== 0]
  if (isCompared && isUncompared) reader.refuse()
  if (isCompared) return "compared"
  return isUncompared ? "uncompared" : undefined
}

/** Only a text of ours that one device has can be so for another. */
function readPending(reader: Reader, flags: number, state: MessageState | undefined): boolean {
  if ((flags & PENDING) === 0) return false
  if ((flags & MINE) === 0 || (state !== "delivered" && state !== "read")) reader.refuse()
  return true
}

function readMessage(reader: Reader): BackupMessage {
  const contact = reader.u32()
  const id = reader.bytes(MESSAGE_ID_BYTES)
  const flags = reader.u8()
  const state = STATES[reader.u8()]
  const [sentAt, storedAt, timer, expiresAt] = [reader.u64(), reader.u64(), reader.u32(), reader.u64()]
  const [mine, isLine] = [(flags & MINE) !== 0, (flags & LINE) !== 0]
  const digest = reader.bytes(isLine ? 0 : DIGEST_BYTES)
  const recipients = mine ? readRecipients(reader) : []
  const replyTo = (flags & ANSWER) === 0 ? undefined : readReplyTo(reader)
  const text = readText(reader.rest())
  const supersededKey = readSupersededKey(reader, flags)
  const isPending = readPending(reader, flags, state)
  if (flags > MESSAGE_FLAGS || (mine && isLine)) reader.refuse()
  if (state === undefined || text === undefined) reader.refuse()
  return {
    ...{ contact, id, digest, sentAt, storedAt, timer, expiresAt, mine, recipients, replyTo, supersededKey },
    isPending,
    kind: isLine ? "line" : "text",
    shown: (flags & SHOWN) !== 0,
    state: state ?? "queued",
    text: text ?? "",
  }
}

function writeRecipients(writer: Writer, recipients: readonly Recipient[]): void {
  writer.u8(recipients.length)
  for (const { contact, state, at } of recipients) writer.u32(contact).u8(STATES.indexOf(state)).u64(at)
}

function readRecipients(reader: Reader): Recipient[] {
  const length = reader.u8()
  if (length > RECIPIENTS_MAX) reader.refuse()
  return Array.from({ length: reader.spoilt ? 0 : length }, () => {
    const [contact, state, at] = [reader.u32(), STATES[reader.u8()], reader.u64()]
    if (state === undefined || state === "received") reader.refuse()
    return { contact, at, state: state === "received" ? "queued" : (state ?? "queued") }
  })
}

function readReplyTo(reader: Reader): ReplyTo {
  return {
    author: reader.bytes(AUTHOR_BYTES),
    id: reader.bytes(MESSAGE_ID_BYTES),
    digest: reader.bytes(DIGEST_BYTES),
  }
}
