import { concat } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { DAY_MS } from "../time-units.ts"
import type { Database } from "./database.ts"
import { addEvent } from "./event-log.ts"
import { LAST_8 } from "./history.ts"
import { statesBefore } from "./message-states.ts"
import type { DevicePartWrite, DeviceParts, MessageRecord, Write } from "./records.ts"
import {
  ABSENT,
  CONTACTS,
  DEVICES,
  DEVICE_TABLES,
  HELD,
  NEW_MESSAGES,
  OPEN_BUNDLES,
  OUTGOING,
  SESSIONS,
  SETTINGS,
  SHORT_MID_BYTES,
  type DevicePart,
} from "./tables.ts"
import { put } from "./table.ts"

/** Writes all of it or nothing; on disk when this returns. */
export function commit(database: Database, writes: readonly Write[]): void {
  database.transaction(() => {
    for (const write of writes) apply(database, write)
  })
  if (writes.some(erases)) emptyLog(database)
}

/** The write-ahead log still holds earlier copies of the pages that these have cleared. */
function erases({ kind }: Write): boolean {
  return kind === "delete" || kind === "expire" || kind === "forget-contact"
}

/** The commit is on disk whether this succeeds or not; the next such commit, or closing the store, tries again. */
function emptyLog(database: Database): void {
  try {
    database.run("PRAGMA wal_checkpoint(TRUNCATE)")
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
  }
}

function apply(database: Database, write: Write): void {
  switch (write.kind) {
    case "contact":
      put(database, CONTACTS, write.contact)
      return
    case "forget-contact":
      forgetContact(database, write.id)
      return
    case "device":
      put(database, DEVICES, write.device)
      return
    case "session":
      put(database, SESSIONS, write)
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
         WHERE shown = 0 AND contact = ? AND seq > ? AND seq <= ?`,
        write.at,
        write.contact,
        write.after ?? 0,
        write.upTo,
      )
      return
    case "expire":
      expire(database, write.at)
      return
    case "delete":
      deleteMessages(database, write)
      return
    case "held":
      put(database, HELD, write.held)
      return
    case "held-done":
      database.run("DELETE FROM held WHERE device = ? AND number = ?", write.device, write.number)
      return
    case "adopt-history":
      database.run("UPDATE messages SET contact = ? WHERE contact = ?", write.to, write.from)
      database.run("UPDATE events SET contact = ? WHERE contact = ?", write.to, write.from)
      return
    case "event":
      addEvent(database, write.event)
      return
    case "outgoing":
      put(database, OUTGOING, write.outgoing)
      return
    case "outgoing-done":
      database.run("DELETE FROM outgoing WHERE seq = ?", write.seq)
      return
    case "open-bundle":
      put(database, OPEN_BUNDLES, write.bundle)
      return
    case "close-bundle":
      database.run("DELETE FROM open_bundles WHERE tag = ?", write.tag)
      return
    case "device-part":
      putPart(database, write)
      return
    case "setting":
      put(database, SETTINGS, write)
      return
  }
}

function putPart<Part extends keyof DeviceParts>(
  database: Database,
  { part, device, value }: DevicePartWrite<Part>,
): void {
  put<DevicePart<Part>>(database, DEVICE_TABLES[part], { device, value })
}

/** The words go first: to remove them from the index, FTS5 reads the texts. */
function forgetContact(database: Database, id: number): void {
  forgetWords(database, "contact = ?", id)
  database.run("DELETE FROM contacts WHERE id = ?", id)
}

/** A text is retransmitted for 30 days, and a clock may be two days wrong: after that it is not repeated. */
const ABSENT_KEPT_MS = 33 * DAY_MS

/** It arrived under another id than it is stored under: a repetition must still be acknowledged. */
function recordAbsent(
  database: Database,
  { contact, mid, original, storedAt }: Omit<MessageRecord, "seq">,
): void {
  forgetAbsent(database, storedAt)
  put(database, ABSENT, { contact, mid, original, at: storedAt })
}

function forgetAbsent(database: Database, now: number): void {
  database.run("DELETE FROM absent WHERE at < ?", now - ABSENT_KEPT_MS)
}

function expire(database: Database, at: number): void {
  forgetAbsent(database, at)
  database.run(
    `INSERT OR REPLACE INTO absent (contact, mid, original, at) SELECT contact, mid, original, ?1 FROM messages
     WHERE mine = 0 AND kind = 'text' AND expires_at > 0 AND expires_at <= ?1`,
    at,
  )
  forgetWords(database, "expires_at > 0 AND expires_at <= ?", at)
  database.run("DELETE FROM messages WHERE expires_at > 0 AND expires_at <= ?", at)
}

function deleteMessages(
  database: Database,
  { contact, from, upTo, at }: Extract<Write, { kind: "delete" }>,
): void {
  const range = [contact, from, upTo] as const
  forgetAbsent(database, at)
  database.run(
    `INSERT OR REPLACE INTO absent (contact, mid, original, at) SELECT contact, mid, original, ? FROM messages
     WHERE mine = 0 AND kind = 'text' AND ${SEQ_RANGE}`,
    at,
    ...range,
  )
  database.run(
    `DELETE FROM events WHERE contact = ? AND substr(mid, 1, ${SHORT_MID_BYTES}) IN
       (SELECT substr(mid, 1, ${SHORT_MID_BYTES}) FROM messages WHERE ${SEQ_RANGE})`,
    contact,
    ...range,
  )
  forgetWords(database, SEQ_RANGE, ...range)
  database.run(`DELETE FROM messages WHERE ${SEQ_RANGE}`, ...range)
}

const SEQ_RANGE = "contact = ? AND seq BETWEEN ? AND ?"

/** Only of texts: system messages are not in the index. */
function forgetWords(database: Database, where: string, ...values: readonly number[]): void {
  database.run(
    `INSERT INTO words (words, rowid, text)
     SELECT 'delete', seq, text FROM messages WHERE kind = 'text' AND ${where}`,
    ...values,
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

function addMessage(database: Database, message: Omit<MessageRecord, "seq">): void {
  if (isDuplicate(database, message)) {
    recordAbsent(database, message)
    return
  }
  database.run(`${NEW_MESSAGES.insert} ON CONFLICT DO NOTHING`, ...NEW_MESSAGES.values(message))
  if (message.kind === "text") {
    const sql = "INSERT INTO words (rowid, text) SELECT last_insert_rowid(), ? WHERE changes() = 1"
    database.run(sql, message.text)
  }
}

/**
 * A retransmitted text may have arrived under its first or a later id before; or the first one arrives last, in an old
 * session that was late.
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
