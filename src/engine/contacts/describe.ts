import { toHex } from "../../crypto/bytes.ts"
import { isOurs } from "../../store/message-states.ts"
import type { ContactRecord, DeviceRecord } from "../../store/records.ts"
import type { AboutContact, Contact, Message } from "../state/shapes.ts"
import type { Renaming } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { outgoingOf } from "../state/outgoing-index.ts"
import type { Paired } from "../state/ports.ts"
import { describeReplyTo } from "./reply-to.ts"
import { contactIn, directWith } from "../state/conversations.ts"
import { devicesOf, movedSince, summedState } from "./devices.ts"
import { findAccount, fingerprintDigits } from "./contacts.ts"
import { uncomparedSince } from "../state/send-gate.ts"
import { hasNoWords, wordsWith } from "./words.ts"
import type { StoredMessage } from "../../store/message-records.ts"
import type { ContactId } from "../../store/ids.ts"

export function describeContact(
  state: EngineState,
  contact: ContactRecord,
  counts: { readonly unread: number; readonly queued: number },
): Contact {
  const devices = devicesOf(state, contact.id)
  const movedAt = movedSince(devices)
  return {
    id: contact.id,
    name: contact.name,
    fingerprint: contact.accountId === undefined ? "" : fingerprintDigits(contact.accountId),
    state: summedState(devices),
    pairing: devices.some(hasNoWords) ? "unfinished" : "done",
    verified: contact.verified,
    blocked: contact.blocked,
    keyChangedAt: contact.changedAt === 0 ? null : contact.changedAt,
    accountLockedAt: contact.lockedAt === 0 ? null : contact.lockedAt,
    deviceReplacedAt: movedAt === 0 ? null : movedAt,
    readReceipts: contact.readReceipts,
    typingIndicators: contact.typing,
    receiptDelayMs: contact.receiptDelay,
    timerSeconds: directWith(state, contact.id).timer,
    addedAt: contact.addedAt,
    devices: devices.map(describeDevice),
    introducedBy: introducerOf(state, contact),
    ...counts,
  }
}

function describeDevice({ key, state, movedAt }: DeviceRecord): Contact["devices"][number] {
  return {
    fingerprint: fingerprintDigits(key),
    state,
    replacedAt: movedAt === 0 ? null : movedAt,
  }
}

/** Under the name that we have for the introducer now; another contact may have the old one. */
function introducerOf(state: EngineState, { introducedBy }: ContactRecord): string | null {
  if (introducedBy === undefined) return null
  const introducer = findAccount(state, introducedBy.account)
  return introducer?.name ?? `${introducedBy.name} (no longer a contact)`
}

/** Texts to this contact that the broker has not received yet, for any of its devices. */
export function queuedTexts(state: EngineState, contact: ContactId): number {
  const devices = state.devicesByContact.get(contact) ?? []
  const entries = devices.flatMap((device) => [...outgoingOf(state, device)])
  const [queued, published] = [new Set<string>(), new Set<string>()]
  for (const { carries, delivered, published: isPublished } of entries) {
    if (carries === undefined) continue
    const texts = delivered || isPublished ? published : queued
    texts.add(toHex(carries.id))
  }
  return [...queued].filter((id) => !published.has(id)).length
}

/** The contact that a message or an event is about. */
export function aboutContact({ id, name }: Pick<ContactRecord, "id" | "name">): AboutContact {
  return { contact: name, contactId: id }
}

function describeChanges({ editedAt, previous, deletedAt, reactions }: StoredMessage) {
  return {
    editedAt,
    previous: previous.map(({ text, time }) => ({ text, sentAt: time })),
    deletedAt,
    reactions: reactions
      .filter(({ emoji }) => emoji !== "")
      .map(({ by, emoji, time }) => ({ emoji, mine: by === null, at: time })),
  }
}

/** Undefined if its contact was forgotten meanwhile. */
export function describeMessage(state: EngineState, message: StoredMessage): Message | undefined {
  const contactId = contactIn(state, message.conversation)
  const contact = contactId === undefined ? undefined : state.contacts.get(contactId)
  if (contact === undefined) return undefined
  const { id, seq, author, kind, text, sentAt, storedAt, state: messageState, timer, expiresAt } = message
  return {
    id: toHex(id),
    seq,
    ...aboutContact(contact),
    mine: isOurs(message),
    kind: kind === "line" ? "system" : "text",
    text,
    sentAt,
    storedAt,
    state: messageState,
    trusted: author === null || isTrusted(contact, message),
    timerSeconds: timer,
    expiresAt: expiresAt === 0 ? null : expiresAt,
    ...describeChanges(message),
    replyTo: describeReplyTo(state, message),
    recipients: describeRecipients(state, message),
  }
}

function isTrusted(contact: ContactRecord, { supersededKey, storedAt }: StoredMessage): boolean {
  return supersededKey === undefined ? storedAt < uncomparedSince(contact) : supersededKey === "compared"
}

function describeRecipients(state: EngineState, { recipients }: StoredMessage): Message["recipients"] {
  return recipients.flatMap(({ contact: id, state: reached }) => {
    const contact = state.contacts.get(id)
    return contact === undefined ? [] : [{ contact: contact.name, contactId: id, state: reached }]
  })
}

/** A contact right after a handshake with this device: none of its messages has been read yet. */
export function describePaired(
  state: EngineState,
  contact: ContactRecord,
  device: DeviceRecord,
  outcome: Renaming & { readonly known: boolean },
): Paired {
  return { contact: describeAlone(state, contact), words: wordsWith(device), ...outcome }
}

export function describeAlone(state: EngineState, contact: ContactRecord): Contact {
  return describeContact(state, contact, { unread: 0, queued: queuedTexts(state, contact.id) })
}
