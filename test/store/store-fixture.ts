import { randomBytes } from "node:crypto"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type {
  ContactRecord,
  MessageRecord,
  OpenBundleRecord,
  OutgoingRecord,
  Write,
} from "../../src/store/records.ts"

export function freshPath(): string {
  return join(mkdtempSync(join(tmpdir(), "mqttchat-store-")), "messages.db")
}

export function contact(id: number, name: string): ContactRecord {
  return {
    id,
    identity: randomBytes(64),
    name,
    state: "established",
    verified: false,
    blocked: false,
    peerInbox: randomBytes(32),
    mailbox: randomBytes(16),
    sas: randomBytes(32),
    recoverySecret: randomBytes(32),
    recoveryBundle: randomBytes(1402),
    addedAt: 1_764_000_000_123,
    changedAt: 0,
    readReceipts: false,
    typing: false,
    receiptDelay: 0,
    timer: 0,
    timerSetAt: 0,
    movedAt: 0,
  }
}

export function message(
  from: number,
  text: string,
  mid: Uint8Array = randomBytes(16),
): Omit<MessageRecord, "seq"> {
  return {
    contact: from,
    mid,
    mine: false,
    kind: "text",
    text,
    sentAt: 1_764_000_000_001,
    storedAt: 1_764_000_000_002,
    state: "received",
    shown: false,
    original: new Uint8Array(0),
    timer: 0,
    expiresAt: 0,
  }
}

export function outgoing(seq: number, to: number): OutgoingRecord {
  return {
    seq,
    contact: to,
    mid: randomBytes(8),
    kind: "text",
    topic: "mc/1/i/a/b",
    wire: randomBytes(512),
    published: false,
    attempts: 0,
    dueAt: 1_764_000_000_003,
    createdAt: 1_764_000_000_004,
    carries: { mid: randomBytes(16), number: seq },
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
    contact: of,
    notAfter: 1_790_000_000,
  }
}

/** One message as the engine commits it: the session's next state, the text, the frame. */
export function sending(number: number, to: number): { mid: Uint8Array; writes: Write[] } {
  const mid = Buffer.alloc(16)
  mid.writeUInt32BE(number)
  const own = {
    ...message(to, `message number ${number}`, mid),
    mine: true,
    state: "queued",
    shown: true,
  } as const
  return {
    mid,
    writes: [
      { kind: "session", contact: to, snapshot: randomBytes(1500) },
      { kind: "message", message: own },
      { kind: "outgoing", outgoing: { ...outgoing(number, to), mid: mid.subarray(0, 8) } },
    ],
  }
}
