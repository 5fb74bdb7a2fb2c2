import type { Database, Row } from "./database.ts"
import type { ContactRecord, HeldRecord, LoadedState, OpenBundleRecord, OutgoingRecord } from "./records.ts"

const CONTACT_STATES = ["init-sent", "unconfirmed", "established", "recovering"] as const
const OUTGOING_KINDS = ["text", "control", "passing", "init"] as const

/** Everything but the conversations. */
export function loadState(database: Database): LoadedState {
  const outgoing = database.select(
    readOutgoing,
    `SELECT seq, contact, mid, kind, topic, wire, published, attempts, due_at, created_at, text_mid, text_number
     FROM outgoing ORDER BY seq`,
  )
  return {
    contacts: database.select(
      readContact,
      `SELECT id, identity, name, state, verified, blocked, peer_inbox, mailbox, sas, recovery_secret,
         recovery_bundle, added_at, changed_at, read_receipts, typing, receipt_delay, timer, timer_set_at, moved_at
       FROM contacts ORDER BY id`,
    ),
    snapshots: new Map(
      database.select(
        (row) => [row.number(0), row.bytes(1)] as const,
        "SELECT contact, snapshot FROM sessions",
      ),
    ),
    outgoing,
    held: database.select(
      readHeld,
      `SELECT contact, number, stored_at, mid, original, text, sent_at, timer FROM held ORDER BY contact, number`,
    ),
    openBundles: database.select(
      readOpenBundle,
      "SELECT tag, request_tag, mode, psk, open, mailbox, contact, not_after FROM open_bundles",
    ),
    settings: new Map(
      database.select((row) => [row.text(0), row.bytes(1)] as const, "SELECT key, value FROM settings"),
    ),
    nextContact: 1 + (lastContact(database) ?? 0),
    nextOutgoing: 1 + (outgoing.at(-1)?.seq ?? 0),
  }
}

/** Forgotten ones too. */
function lastContact(database: Database): number | undefined {
  return database.select((row) => row.number(0), "SELECT seq FROM sqlite_sequence WHERE name = 'contacts'")[0]
}

function readContact(row: Row): ContactRecord {
  return {
    id: row.number(0),
    identity: row.bytes(1),
    name: row.text(2),
    state: row.oneOf(3, CONTACT_STATES),
    verified: row.number(4) === 1,
    blocked: row.number(5) === 1,
    peerInbox: row.bytes(6),
    mailbox: row.bytes(7),
    sas: row.bytes(8),
    recoverySecret: row.bytes(9),
    recoveryBundle: row.bytes(10),
    addedAt: row.number(11),
    changedAt: row.number(12),
    readReceipts: row.number(13) === 1,
    typing: row.number(14) === 1,
    receiptDelay: row.number(15),
    timer: row.number(16),
    timerSetAt: row.number(17),
    movedAt: row.number(18),
  }
}

function readOutgoing(row: Row): OutgoingRecord {
  return {
    seq: row.number(0),
    contact: row.number(1),
    mid: row.bytes(2),
    kind: row.oneOf(3, OUTGOING_KINDS),
    topic: row.text(4),
    wire: row.bytes(5),
    published: row.number(6) === 1,
    attempts: row.number(7),
    dueAt: row.number(8),
    createdAt: row.number(9),
    carries: row.isNull(10) ? undefined : { mid: row.bytes(10), number: row.number(11) },
  }
}

function readHeld(row: Row): HeldRecord {
  const text = row.isNull(3)
    ? undefined
    : {
        mid: row.bytes(3),
        original: row.bytes(4),
        text: row.text(5),
        sentAt: row.number(6),
        timer: row.number(7),
      }
  return { contact: row.number(0), number: row.number(1), storedAt: row.number(2), text }
}

function readOpenBundle(row: Row): OpenBundleRecord {
  return {
    tag: row.bytes(0),
    requestTag: row.bytes(1),
    mode: row.number(2),
    psk: row.bytes(3),
    open: row.bytes(4),
    mailbox: row.bytes(5),
    contact: row.isNull(6) ? null : row.number(6),
    notAfter: row.number(7),
  }
}
