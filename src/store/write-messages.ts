import { equal } from "../crypto/bytes.ts"
import { DAY_MS } from "../time-units.ts"
import type { Database } from "./database.ts"
import { statesBefore } from "./message-states.ts"
import type { NewMessage, ReceivedFrame, Write } from "./records.ts"
import { KNOWN_IDS, NEW_MESSAGES, RECEIVED_FRAMES } from "./tables.ts"
import { put } from "./table.ts"

/** A text may lie in a broker's queue, or on a disk that is put back, for a year after it was sent [D-50]. */
const KNOWN_ID_MS = 400 * DAY_MS
/** A session message is sent for 30 days, and a clock may be two days wrong: after that it does not come again. */
const RECEIVED_FRAME_MS = 33 * DAY_MS

/** Old rows are deleted with one frame in 256, so that most commits delete none. */
export function addReceivedFrame(database: Database, frame: ReceivedFrame): void {
  put(database, RECEIVED_FRAMES, frame)
  if (frame.mid[0] === 0) forgetOld(database, frame.at)
}

/** What is no longer needed to recognise a message that comes again; `at` is now. */
function forgetOld(database: Database, at: number): void {
  database.run("DELETE FROM known_ids WHERE at < ?", at - KNOWN_ID_MS)
  database.run("DELETE FROM received_frames WHERE at < ?", at - RECEIVED_FRAME_MS)
}

const KEEP_IDS = `INSERT OR REPLACE INTO known_ids (${KNOWN_IDS.columns.join(", ")})`

export function expire(database: Database, at: number): void {
  forgetOld(database, at)
  database.run(
    `${KEEP_IDS} SELECT contact, id, digest, ?1 FROM messages
     WHERE mine = 0 AND kind = 'text' AND expires_at > 0 AND expires_at <= ?1`,
    at,
  )
  forgetWords(database, "expires_at > 0 AND expires_at <= ?", at)
  database.run("DELETE FROM messages WHERE expires_at > 0 AND expires_at <= ?", at)
}

export function deleteMessages(
  database: Database,
  { contact, from, upTo, at }: Extract<Write, { kind: "delete" }>,
): void {
  const range = [contact, from, upTo] as const
  forgetOld(database, at)
  database.run(
    `${KEEP_IDS} SELECT contact, id, digest, ? FROM messages
     WHERE mine = 0 AND kind = 'text' AND ${SEQ_RANGE}`,
    at,
    ...range,
  )
  database.run(
    `DELETE FROM events WHERE contact = ? AND (mine, id) IN (SELECT mine, id FROM messages WHERE ${SEQ_RANGE})`,
    contact,
    ...range,
  )
  forgetWords(database, SEQ_RANGE, ...range)
  database.run(`DELETE FROM messages WHERE ${SEQ_RANGE}`, ...range)
}

const SEQ_RANGE = "contact = ? AND seq BETWEEN ? AND ?"

/** Only of texts: system messages are not in the index. FTS5 reads the texts, so the words go first. */
export function forgetWords(database: Database, where: string, ...values: readonly number[]): void {
  database.run(
    `INSERT INTO words (words, rowid, text)
     SELECT 'delete', seq, text FROM messages WHERE kind = 'text' AND ${where}`,
    ...values,
  )
}

export function markShown(
  database: Database,
  { contact, after, upTo, at }: Extract<Write, { kind: "shown" }>,
): void {
  database.run(
    `UPDATE messages SET shown = 1, expires_at = iif(timer = 0, 0, ? + timer * 1000)
     WHERE shown = 0 AND contact = ? AND seq > ? AND seq <= ?`,
    at,
    contact,
    after ?? 0,
    upTo,
  )
}

/** Whether the message was there, in a state from which it can reach this one. */
export function changeState(
  database: Database,
  { state, contact, id, at }: Extract<Write, { kind: "message-state" }>,
): boolean {
  const changed = database.select(
    () => true,
    `UPDATE messages SET state = ?1,
       expires_at = iif(timer = 0 OR expires_at > 0 OR ?1 NOT IN ('delivered', 'read'), expires_at, ?2 + timer * 1000)
     WHERE mine = 1 AND contact = ?3 AND id = ?4 AND instr(?5, ',' || state || ',') > 0 RETURNING seq`,
    state,
    at,
    contact,
    id,
    `,${statesBefore(state).join(",")},`,
  )
  return changed.length > 0
}

/** What was added: the message, in the place of another text under its id the line `ifReused`, or nothing. */
export function addMessage(
  database: Database,
  message: NewMessage,
  ifReused: NewMessage | undefined,
): NewMessage | undefined {
  const known = knownDigest(database, message)
  if (known === undefined) return insert(database, message)
  return equal(known, message.digest) || ifReused === undefined ? undefined : insert(database, ifReused)
}

function insert(database: Database, message: NewMessage): NewMessage {
  database.run(NEW_MESSAGES.insert, ...NEW_MESSAGES.values(message))
  if (message.kind === "text")
    database.run("INSERT INTO words (rowid, text) VALUES (last_insert_rowid(), ?)", message.text)
  return message
}

/** Of the message under this id that is here, or was. */
function knownDigest(
  database: Database,
  { contact, mine, id }: Pick<NewMessage, "contact" | "mine" | "id">,
): Uint8Array | undefined {
  return database.select(
    (row) => row.bytes(0),
    `SELECT digest FROM messages WHERE contact = ?1 AND mine = ?2 AND id = ?3
     UNION ALL SELECT digest FROM known_ids WHERE contact = ?1 AND id = ?3 AND ?2 = 0 LIMIT 1`,
    contact,
    Number(mine),
    id,
  )[0]
}
