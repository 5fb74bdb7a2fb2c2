import { keepSupersededKey } from "./superseded-keys.ts"
import { equal } from "../crypto/bytes.ts"
import { DAY_MS } from "../time-units.ts"
import type { Database, Row } from "./database.ts"
import { adoptChanges, applyEarly } from "./changes.ts"
import { AUTHOR, DIRECT, WE } from "./names.ts"
import { LEAST_FIRST, MESSAGE_TRANSITIONS } from "./message-states.ts"
import type { ReceivedFrame, Write } from "./records.ts"
import { KNOWN_IDS, NEW_MESSAGES, RECEIVED_FRAMES, RECIPIENTS } from "./tables.ts"
import { put } from "./table.ts"
import type { MessageName, NewMessage } from "./message-records.ts"

/** A text may lie in a broker's queue, or on a disk that is put back, for a year after it was sent [D-50]. */
const KNOWN_ID_MS = 400 * DAY_MS
/** A message is sent on 30 days, which may lie weeks apart: as long as its text is known. */
const RECEIVED_FRAME_MS = KNOWN_ID_MS

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

/** The ids of texts; `where` chooses from the messages, `?1` is now. */
function keepIds(database: Database, where: string, ...values: readonly number[]): void {
  database.run(
    `INSERT OR REPLACE INTO known_ids (${KNOWN_IDS.columns.join(", ")})
     SELECT conversation, ${AUTHOR}, id, digest, ?1 FROM messages WHERE kind = 'text' AND ${where}`,
    ...values,
  )
}

export function expire(database: Database, at: number): void {
  forgetOld(database, at)
  keepIds(database, "expires_at > 0 AND expires_at <= ?1", at)
  deleteWhere(database, "expires_at > 0 AND expires_at <= ?", at)
}

export function moveTimers(database: Database, { since, by }: Extract<Write, { kind: "move-timers" }>): void {
  database.run(
    "UPDATE messages SET expires_at = expires_at + ?2 WHERE expires_at > 0 AND expires_at - timer * 1000 >= ?1",
    since,
    by,
  )
}

export function deleteMessages(
  database: Database,
  { conversation, from, upTo, at }: Extract<Write, { kind: "delete" }>,
): void {
  const range = [conversation, from, upTo] as const
  forgetOld(database, at)
  keepIds(database, SEQ_RANGE, at, ...range)
  deleteWhere(database, SEQ_RANGE, ...range)
}

/** With their events, and all that refers to them. */
function deleteWhere(database: Database, where: string, ...values: readonly number[]): void {
  database.run(
    `DELETE FROM events WHERE (conversation, ${AUTHOR}, id) IN
       (SELECT conversation, ${AUTHOR}, id FROM messages WHERE ${where})`,
    ...values,
  )
  forgetWords(database, where, ...values)
  database.run(`DELETE FROM messages WHERE ${where}`, ...values)
}

const SEQ_RANGE = "conversation = ? AND seq BETWEEN ? AND ?"

/** Only of texts: system messages are not in the index. FTS5 reads the texts, so the words go first. */
function forgetWords(database: Database, where: string, ...values: readonly number[]): void {
  database.run(
    `INSERT INTO words (words, rowid, text)
     SELECT 'delete', seq, text FROM messages WHERE kind = 'text' AND ${where}`,
    ...values,
  )
}

export function markShown(
  database: Database,
  { conversation, after, upTo, at }: Extract<Write, { kind: "shown" }>,
): void {
  database.run(
    `UPDATE messages SET shown = 1, expires_at = iif(timer = 0, 0, ? + timer * 1000)
     WHERE shown = 0 AND conversation = ? AND seq > ? AND seq <= ?`,
    at,
    conversation,
    after ?? 0,
    upTo,
  )
}

const OURS = `SELECT seq FROM messages WHERE conversation = ? AND ${AUTHOR} = ${WE} AND id = ?`

const ADD_RECIPIENT = `INSERT OR IGNORE INTO recipients (message, contact, state, at)
  SELECT seq, ?, 'queued', ? FROM (${OURS})`

export function addRecipient(database: Database, write: Extract<Write, { kind: "recipient" }>): void {
  const { conversation, id, contact, at } = write
  database.run(ADD_RECIPIENT, contact, at, conversation, id)
}

const SELECT_SENT = `SELECT m.seq, r.state, m.timer > 0 AND m.expires_at = 0,
  EXISTS (SELECT 1 FROM recipients o WHERE o.message = m.seq AND o.contact <> ?3)
  FROM messages m JOIN recipients r ON r.message = m.seq AND r.contact = ?3
  WHERE m.conversation = ?1 AND ifnull(m.author, 0) = ${WE} AND m.id = ?2`

const UPDATE_RECIPIENT = "UPDATE recipients SET state = ?, at = ? WHERE message = ? AND contact = ?"

const UPDATE_STATE = "UPDATE messages SET state = ? WHERE seq = ?"

/** SQLite takes `state` from the row that has the least. */
const SUM_STATES = `UPDATE messages SET state =
  (SELECT state FROM (SELECT state, min(instr(?, ',' || state || ',')) FROM recipients WHERE message = seq)) WHERE seq = ?`

const START_TIMER = "UPDATE messages SET expires_at = ? + timer * 1000 WHERE seq = ?"

/** Whether the message was sent to this contact, and was in a state from which it can reach this one. */
export function changeState(database: Database, write: Extract<Write, { kind: "message-state" }>): boolean {
  const { state, contact, at } = write
  const before = findSent(database, write)
  if (before === undefined || !MESSAGE_TRANSITIONS[before.state].includes(state)) return false
  const { seq, timerWaits, hasOthers } = before
  database.run(UPDATE_RECIPIENT, state, at, seq, contact)
  if (hasOthers) database.run(SUM_STATES, `,${LEAST_FIRST.join(",")},`, seq)
  else database.run(UPDATE_STATE, state, seq)
  if (timerWaits && (state === "delivered" || state === "read")) database.run(START_TIMER, at, seq)
  return true
}

function findSent(database: Database, write: Extract<Write, { kind: "message-state" }>) {
  const { conversation, id, contact } = write
  const read = (row: Row) => ({
    seq: row.number(0),
    state: row.oneOf(1, LEAST_FIRST),
    timerWaits: row.number(2) === 1,
    hasOthers: row.number(3) === 1,
  })
  return database.select(read, SELECT_SENT, conversation, id, contact)[0]
}

/**
 * What was added: the message; the line `ifReused` in the place of another text under its id, or of one under an id of ours,
 * by which a person would name the other one; or nothing.
 */
export function addMessage(
  database: Database,
  { message, recipients = [], ifReused, unlessRepeated = false }: Extract<Write, { kind: "message" }>,
): NewMessage | undefined {
  if (unlessRepeated && repeatsLast(database, message)) return undefined
  const known = knownDigest(database, message)
  const isOfOurs = ifReused !== undefined && knownDigest(database, { ...message, author: null }) !== undefined
  if (known === undefined && !isOfOurs) {
    const seq = insert(database, message)
    for (const recipient of recipients)
      database.run(RECIPIENTS.insert, ...RECIPIENTS.values({ message: seq, ...recipient }))
    return message
  }
  if (ifReused === undefined || (known !== undefined && equal(known, message.digest))) return undefined
  insert(database, ifReused)
  return ifReused
}

/** Whether the newest message of the conversation is a line that says the same: a flood of them is one. */
function repeatsLast(database: Database, { conversation, text }: NewMessage): boolean {
  const [last] = database.select(
    (row) => row.text(0) === "line" && row.text(1) === text,
    "SELECT kind, text FROM messages WHERE conversation = ? ORDER BY seq DESC LIMIT 1",
    conversation,
  )
  return last === true
}

const INSERT = `${NEW_MESSAGES.insert} RETURNING seq`

function insert(database: Database, message: NewMessage): number {
  const [seq = 0] = database.select((row) => row.number(0), INSERT, ...NEW_MESSAGES.values(message))
  if (message.kind === "line") return seq
  database.run("INSERT INTO words (rowid, text) VALUES (?, ?)", seq, message.text)
  applyEarly(database, message)
  return seq
}

const KNOWN = `SELECT digest FROM messages WHERE conversation = ?1 AND ${AUTHOR} = ?2 AND id = ?3
  UNION ALL SELECT digest FROM known_ids WHERE conversation = ?1 AND author = ?2 AND id = ?3 LIMIT 1`

/** Of the message of this name that is here, or was. */
function knownDigest(database: Database, { conversation, author, id }: MessageName): Uint8Array | undefined {
  return database.select((row) => row.bytes(0), KNOWN, conversation, author ?? WE, id)[0]
}

/** Their recipients of before stay behind: a receipt counts only from the account that a message was sent to [D-43]. */
export function adoptHistory(
  database: Database,
  { from, to, supersededKey }: Extract<Write, { kind: "adopt-history" }>,
): void {
  if (supersededKey !== undefined) keepSupersededKey(database, from, supersededKey)
  for (const each of ["messages", "events", "known_ids"])
    database.run(
      `UPDATE OR IGNORE ${each} SET conversation = (${DIRECT}), author = iif(author = ?2, ?1, author)
       WHERE conversation = (SELECT id FROM conversations WHERE contact = ?2)`,
      to,
      from,
    )
  adoptChanges(database, from, to)
}

/** The words go first: to remove them from the index, FTS5 reads the texts. */
export function forgetContact(database: Database, id: number): void {
  forgetWords(database, `conversation = (${DIRECT})`, id)
  database.run("DELETE FROM contacts WHERE id = ?", id)
}
