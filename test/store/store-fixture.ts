import { randomBytes } from "node:crypto"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  NEW_CONTACT,
  NEW_CONVERSATION,
  NEW_DEVICE,
  type ContactRecord,
  type ConversationRecord,
  type DeviceParts,
  type DeviceRecord,
  type OpenBundleRecord,
  type OutgoingRecord,
  type Write,
} from "../../src/store/records.ts"
import { type NewMessage } from "../../src/store/message-records.ts"
import { type ConversationId } from "../../src/store/ids.ts"

export function freshPath(): string {
  return join(mkdtempSync(join(tmpdir(), "mqttchat-store-")), "messages.db")
}

export function contact(id: number, name: string): ContactRecord {
  return {
    ...NEW_CONTACT,
    id,
    name,
    addedAt: 1_764_000_000_123,
  }
}

export function device(id: number, of: number): DeviceRecord {
  return {
    ...NEW_DEVICE,
    id,
    contact: of,
    key: randomBytes(64),
    state: "established",
    peerInbox: randomBytes(32),
    mailbox: randomBytes(16),
    comparison: randomBytes(33),
    recoverySecret: randomBytes(32),
    recoveryBundle: randomBytes(1402),
  }
}

/** The conversation with a contact. It has another number, which is no contact's. */
export function direct(contact: number): ConversationId {
  return (contact + 100) as ConversationId
}

export function conversation(contact: number): ConversationRecord {
  return { ...NEW_CONVERSATION, id: direct(contact), contact }
}

/** A contact with one device, which has the same number, and their conversation. */
export function person(id: number, name: string): Write[] {
  return [
    { kind: "contact", contact: contact(id, name) },
    { kind: "conversation", conversation: conversation(id) },
    { kind: "device", device: device(id, id) },
  ]
}

export function message(from: number, text: string, id: Uint8Array = randomBytes(8)): NewMessage {
  return {
    conversation: direct(from),
    author: from,
    id,
    digest: randomBytes(16),
    kind: "text",
    text,
    sentAt: 1_764_000_000_001,
    storedAt: 1_764_000_000_002,
    state: "received",
    shown: false,
    timer: 0,
    expiresAt: 0,
    replyTo: undefined,
  }
}

/** A message of ours, as the engine writes it. */
export function ownMessage(to: number, text: string, id?: Uint8Array): Extract<Write, { kind: "message" }> {
  const ours = { author: null, state: "queued", shown: true } as const
  return {
    kind: "message",
    message: { ...message(to, text, id), ...ours },
    recipients: [{ contact: to, state: "queued", at: 1_764_000_000_002 }],
  }
}

export function outgoing(seq: number, to: number): OutgoingRecord {
  return {
    seq,
    device: to,
    mid: randomBytes(8),
    kind: "text",
    delivered: false,
    topic: "mc/1/i/a/b",
    wire: randomBytes(512),
    published: false,
    attempts: 0,
    daysTried: 0,
    lastDayTried: -1,
    dueAt: 1_764_000_000_003,
    createdAt: 1_764_000_000_004,
    carries: { id: randomBytes(8), number: seq },
    carriesChange: undefined,
    withdrawnNumber: null,
  }
}

export function openBundle(of: number | null): OpenBundleRecord {
  return {
    tag: randomBytes(16),
    requestTag: new Uint8Array(),
    mode: 1,
    psk: randomBytes(32),
    open: randomBytes(1600),
    mailbox: randomBytes(16),
    device: of,
    notAfter: 1_790_000_000,
  }
}

/** All that is kept next to a device, every part of it. */
export function deviceParts(): DeviceParts {
  return {
    textNumbers: { sent: 7, received: 8 },
    leftOut: {
      ...{ until: 1_764_000_000_011, ahead: -3, turns: 2, resealedUntil: 1_764_000_000_012 },
      ...{ firstKept: 9, noted: true },
    },
    pendingReceipts: { mids: [randomBytes(8), randomBytes(8)] },
    replayCache: { owed: [randomBytes(8)], passing: [] },
    withdrawnTexts: { mids: [randomBytes(8)], ids: [randomBytes(8)] },
    supersededSession: { since: 1_764_000_000_005, inbox: randomBytes(32), snapshot: randomBytes(700) },
    acceptedInits: { mids: [randomBytes(8), randomBytes(8)] },
    ownInits: { mids: [randomBytes(8)] },
    crossedSession: {
      ...{
        snapshot: randomBytes(700),
        isRecovery: true,
        mailbox: randomBytes(16),
        peerInbox: randomBytes(32),
        comparison: randomBytes(64),
      },
      ...{ recoverySecret: randomBytes(32), nextRecoverySecret: randomBytes(32) },
    },
    recovery: {
      unmatched: 2,
      unmatchedMids: [randomBytes(8)],
      unmatchedAt: [1_764_000_000_004],
      startedAt: 1_764_000_000_006,
      attempts: 2,
      lostInit: { mid: randomBytes(8), at: 1_764_000_000_008 },
    },
    resend: {
      since: 1_764_000_000_011,
      have: { ids: [randomBytes(8), randomBytes(8)] },
      isExpected: true,
      ...{ spentAt: 1_764_000_000_012, spentTexts: 3, spentBytes: 400 },
    },
    shownAccount: {
      ...{ accountId: randomBytes(32), length: 3, head: randomBytes(32) },
      ...{ at: 1_764_000_000_009, until: 1_764_000_000_010, tag: randomBytes(16), offer: "0a0b0c0d" },
    },
    mailboxRotation: {
      ...{ next: randomBytes(16), since: 1_764_000_000_011, texts: 12, notBefore: 1_764_000_000_012 },
      ...{ confirmed: true, old: [randomBytes(16), randomBytes(16)], oldSince: [1_764_000_000_013, 0] },
    },
    previousInbox: { inbox: randomBytes(32), at: 1_764_000_000_014 },
  }
}

/** Writes of every part. */
export function partWrites(of: number, values: DeviceParts): Write[] {
  const parts = Object.keys(values) as (keyof DeviceParts)[]
  return parts.map((part) => ({ kind: "device-part", device: of, part, value: values[part] }) as Write)
}

/** Buffers as the byte arrays that the store returns, so that they compare. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Map) return new Map([...value].map(([key, each]) => [key, plain(each)]))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]))
}

/** One message as the engine commits it: the session's next state, the text, the frame. */
export function sending(number: number, to: number): { id: Uint8Array; writes: Write[] } {
  const id = Buffer.alloc(8)
  id.writeUInt32BE(number)
  return {
    id,
    writes: [
      { kind: "session", device: to, snapshot: randomBytes(1500) },
      ownMessage(to, `message number ${number}`, id),
      { kind: "outgoing", outgoing: { ...outgoing(number, to), mid: id } },
    ],
  }
}
