import { concat } from "../crypto/bytes.ts"
import type { Database } from "./database.ts"
import { LAST_8, MESSAGE_VALUES } from "./history.ts"
import { statesBefore } from "./message-states.ts"
import type {
  ContactRecord,
  HeldRecord,
  MessageRecord,
  OpenBundleRecord,
  OutgoingRecord,
  Write,
} from "./records.ts"

/** Writes all of it or nothing; on disk when this returns. */
export function commit(database: Database, writes: readonly Write[]): void {
  database.transaction(() => {
    for (const write of writes) apply(database, write)
  })
}

function apply(database: Database, write: Write): void {
  switch (write.kind) {
    case "contact":
      putContact(database, write.contact)
      return
    case "forget-contact":
      forgetContact(database, write.id)
      return
    case "session":
      database.run(
        "INSERT INTO sessions VALUES (?, ?) ON CONFLICT DO UPDATE SET snapshot = excluded.snapshot",
        write.contact,
        write.snapshot,
      )
      return
    case "message":
      addMessage(database, write.message)
      return
    case "message-state":
      changeState(database, write)
      return
    case "shown":
      database.run(
        `UPDATE messages SET shown = 1, expires_at = iif(timer = 0, 0, ? + timer * 1000)
         WHERE shown = 0 AND contact = ? AND seq <= ?`,
        write.at,
        write.contact,
        write.upTo,
      )
      return
    case "expire":
      expire(database, write.at)
      return
    case "held":
      putHeld(database, write.held)
      return
    case "held-done":
      database.run("DELETE FROM held WHERE contact = ? AND number = ?", write.contact, write.number)
      return
    case "adopt-history":
      database.run("UPDATE messages SET contact = ? WHERE contact = ?", write.to, write.from)
      return
    case "outgoing":
      putOutgoing(database, write.outgoing)
      return
    case "outgoing-done":
      database.run("DELETE FROM outgoing WHERE seq = ?", write.seq)
      return
    case "open-bundle":
      putOpenBundle(database, write.bundle)
      return
    case "close-bundle":
      database.run("DELETE FROM open_bundles WHERE tag = ?", write.tag)
      return
    case "setting":
      database.run(
        "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        write.key,
        write.value,
      )
      return
  }
}

function putContact(database: Database, contact: ContactRecord): void {
  database.run(
    `INSERT INTO contacts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET
       identity = excluded.identity, name = excluded.name, folded_name = excluded.folded_name, state = excluded.state,
       verified = excluded.verified, blocked = excluded.blocked, peer_inbox = excluded.peer_inbox,
       mailbox = excluded.mailbox, sas = excluded.sas, recovery_secret = excluded.recovery_secret,
       recovery_bundle = excluded.recovery_bundle, added_at = excluded.added_at, changed_at = excluded.changed_at,
       read_receipts = excluded.read_receipts, typing = excluded.typing, receipt_delay = excluded.receipt_delay,
       timer = excluded.timer, timer_set_at = excluded.timer_set_at, moved_at = excluded.moved_at`,
    contact.id,
    contact.identity,
    contact.name,
    contact.name.normalize("NFKC").toLowerCase(),
    contact.state,
    Number(contact.verified),
    Number(contact.blocked),
    contact.peerInbox,
    contact.mailbox,
    contact.sas,
    contact.recoverySecret,
    contact.recoveryBundle,
    contact.addedAt,
    contact.changedAt,
    Number(contact.readReceipts),
    Number(contact.typing),
    contact.receiptDelay,
    contact.timer,
    contact.timerSetAt,
    contact.movedAt,
  )
}

/** The words go first: to take them out of the index, FTS5 reads the texts once more. */
function forgetContact(database: Database, id: number): void {
  forgetWords(database, "contact = ?", id)
  database.run("DELETE FROM contacts WHERE id = ?", id)
}

/** So many bytes of a message id name it in a receipt, and in a text that is sent again. */
const SHORT_MID_BYTES = 8

/** A text is sent for 30 days, and a clock may be two days wrong: afterwards nobody need know it. */
const ABSENT_KEPT_MS = 33 * 24 * 3_600_000

/** It came under another id than the one that it is kept under: who repeats it is answered all the same. */
function recordAbsent(
  database: Database,
  { contact, mid, original, storedAt }: Omit<MessageRecord, "seq">,
): void {
  forgetAbsent(database, storedAt)
  database.run("INSERT OR REPLACE INTO absent VALUES (?, ?, ?, ?)", contact, mid, original, storedAt)
}

function forgetAbsent(database: Database, now: number): void {
  database.run("DELETE FROM absent WHERE at < ?", now - ABSENT_KEPT_MS)
}

function expire(database: Database, at: number): void {
  forgetAbsent(database, at)
  database.run(
    `INSERT OR REPLACE INTO absent SELECT contact, mid, original, ?1 FROM messages
     WHERE mine = 0 AND kind = 'text' AND expires_at > 0 AND expires_at <= ?1`,
    at,
  )
  forgetWords(database, "expires_at > 0 AND expires_at <= ?", at)
  database.run("DELETE FROM messages WHERE expires_at > 0 AND expires_at <= ?", at)
}

/** Of texts alone: lines are not in the index. */
function forgetWords(database: Database, where: string, value: number): void {
  database.run(
    `INSERT INTO words (words, rowid, text)
     SELECT 'delete', seq, text FROM messages WHERE kind = 'text' AND ${where}`,
    value,
  )
}

function changeState(database: Database, write: Extract<Write, { kind: "message-state" }>): void {
  const { state, contact, mid8, at } = write
  database.run(
    `UPDATE messages SET state = ?1,
       expires_at = iif(timer = 0 OR expires_at > 0 OR ?1 NOT IN ('delivered', 'read'), expires_at, ?2 + timer * 1000)
     WHERE mine = 1 AND contact = ?3 AND mid BETWEEN ?4 AND ?5 AND instr(?6, ',' || state || ',') > 0`,
    state,
    at,
    contact,
    mid8,
    concat(mid8, LAST_8),
    `,${statesBefore(state).join(",")},`,
  )
}

function putHeld(database: Database, { contact, number, storedAt, text }: HeldRecord): void {
  database.run(
    "INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    contact,
    number,
    storedAt,
    text?.mid ?? null,
    text?.original ?? null,
    text?.text ?? null,
    text?.sentAt ?? null,
    text?.timer ?? null,
  )
}

function addMessage(database: Database, message: Omit<MessageRecord, "seq">): void {
  if (isDuplicate(database, message)) {
    recordAbsent(database, message)
    return
  }
  database.run(
    `INSERT INTO messages (${MESSAGE_VALUES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    message.contact,
    message.mid,
    Number(message.mine),
    message.kind,
    message.text,
    message.sentAt,
    message.storedAt,
    message.state,
    Number(message.shown),
    message.original,
    message.timer,
    message.expiresAt,
  )
  if (message.kind === "text") {
    const sql = "INSERT INTO words (rowid, text) SELECT last_insert_rowid(), ? WHERE changes() = 1"
    database.run(sql, message.text)
  }
}

/**
 * A text that was sent again came the first time, or another time before; or the first time comes last, in an old session
 * that was late.
 */
function isDuplicate(database: Database, message: Omit<MessageRecord, "seq">): boolean {
  const { contact, mid, original, mine, kind } = message
  if (mine || kind === "line") return false
  const first = original.length > 0 ? original : mid.slice(0, SHORT_MID_BYTES)
  const found = database.select(
    (row) => row.number(0),
    `SELECT 1 FROM messages WHERE contact = ?1 AND mine = 0 AND original = ?2 AND original <> x''
     UNION ALL SELECT 1 FROM messages WHERE contact = ?1 AND mine = 0 AND mid BETWEEN ?2 AND ?3
     UNION ALL SELECT 1 FROM absent WHERE contact = ?1 AND (original = ?2 OR mid BETWEEN ?2 AND ?3)
     LIMIT 1`,
    contact,
    first,
    concat(first, LAST_8),
  )
  return found.length > 0
}

function putOutgoing(database: Database, outgoing: OutgoingRecord): void {
  database.run(
    `INSERT INTO outgoing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       contact = excluded.contact, mid = excluded.mid, kind = excluded.kind, topic = excluded.topic,
       wire = excluded.wire, published = excluded.published, attempts = excluded.attempts,
       due_at = excluded.due_at, created_at = excluded.created_at, text_mid = excluded.text_mid,
       text_number = excluded.text_number`,
    outgoing.seq,
    outgoing.contact,
    outgoing.mid,
    outgoing.kind,
    outgoing.topic,
    outgoing.wire,
    Number(outgoing.published),
    outgoing.attempts,
    outgoing.dueAt,
    outgoing.createdAt,
    outgoing.carries?.mid ?? null,
    outgoing.carries?.number ?? null,
  )
}

function putOpenBundle(database: Database, bundle: OpenBundleRecord): void {
  database.run(
    `INSERT INTO open_bundles VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       request_tag = excluded.request_tag, mode = excluded.mode, psk = excluded.psk, open = excluded.open,
       mailbox = excluded.mailbox, contact = excluded.contact, not_after = excluded.not_after`,
    bundle.tag,
    bundle.requestTag,
    bundle.mode,
    bundle.psk,
    bundle.open,
    bundle.mailbox,
    bundle.contact,
    bundle.notAfter,
  )
}
