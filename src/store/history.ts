import type { MessageCount, Page, ReceivedTexts, UnshownPage } from "./pages.ts"
import type { Database } from "./database.ts"
import type { ContactId, DeviceId, MessageRecord } from "./records.ts"
import { MESSAGES } from "./tables.ts"

/** Further words are ignored: each costs a lookup. */
const SEARCH_WORDS_MAX = 32

/** The table has a short name here, since the index of words also has a column `text`. */
const SELECT = `SELECT ${MESSAGES.columns.map((column) => `m.${column}`).join(", ")}`

/** Before all messages, and after all. */
const FIRST_SEQ = 0
const LAST_SEQ = Number.MAX_SAFE_INTEGER
/** Before any clock. */
const ALWAYS = Number.MIN_SAFE_INTEGER
/** As SQLite reads a negative LIMIT. */
const NO_LIMIT = -1

/** Oldest first: the last ones of the range, or with `after` its first ones. */
export function messagesWith(database: Database, contact: ContactId, page: Page): MessageRecord[] {
  const { after = FIRST_SEQ, before = LAST_SEQ, since = ALWAYS, limit } = page
  const isForward = page.after !== undefined
  const found = database.select(
    MESSAGES.read,
    `${SELECT} FROM messages m WHERE contact = ? AND seq > ? AND seq < ? AND stored_at >= ?
     ORDER BY seq ${isForward ? "ASC" : "DESC"} LIMIT ?`,
    contact,
    after,
    before,
    since,
    limit,
  )
  return isForward ? found : found.reverse()
}

export function messagesAfter(database: Database, after: number, limit: number): MessageRecord[] {
  const sql = `${SELECT} FROM messages m WHERE seq > ? ORDER BY seq LIMIT ?`
  return database.select(MESSAGES.read, sql, after, limit)
}

export function unshownMessages(database: Database, page: UnshownPage): MessageRecord[] {
  const { contact, after = FIRST_SEQ, upTo = LAST_SEQ, limit = NO_LIMIT } = page
  const ofContact = contact === undefined ? "" : "contact = ? AND"
  const sql = `${SELECT} FROM messages m WHERE shown = 0 AND ${ofContact} seq > ? AND seq <= ? ORDER BY seq LIMIT ?`
  const range = [after, upTo, limit]
  return database.select(MESSAGES.read, sql, ...(contact === undefined ? range : [contact, ...range]))
}

export function countUnshown(database: Database, contact?: ContactId): number {
  const sql = "SELECT count(*) FROM messages WHERE shown = 0 AND kind = 'text'"
  const found =
    contact === undefined
      ? database.select((row) => row.number(0), sql)
      : database.select((row) => row.number(0), `${sql} AND contact = ?`, contact)
  return found[0] ?? 0
}

export function unshownCounts(database: Database): Map<ContactId, number> {
  const sql = "SELECT contact, count(*) FROM messages WHERE shown = 0 AND kind = 'text' GROUP BY contact"
  return new Map(database.select((row) => [row.number(0), row.number(1)] as const, sql))
}

/** Newest first. All words must occur, each at least as a prefix of one in the text. */
export function findMessages(database: Database, words: string, page: Page): MessageRecord[] {
  const query = searchQuery(words)
  if (query === undefined) return []
  const { after = FIRST_SEQ, before = LAST_SEQ, limit } = page
  return database.select(
    MESSAGES.read,
    `${SELECT} FROM words w JOIN messages m ON m.seq = w.rowid WHERE words MATCH ? AND w.rowid > ? AND w.rowid < ?
     ORDER BY w.rowid DESC LIMIT ?`,
    query,
    after,
    before,
    limit,
  )
}

const DEVICES_OF = "SELECT id FROM devices WHERE contact = ?1"

const RECEIVED = `
  SELECT stored_at, text FROM messages WHERE contact = ?1 AND mine = 0
  UNION ALL SELECT stored_at, text FROM held WHERE device IN (${DEVICES_OF}) AND text IS NOT NULL`

export function receivedFrom(database: Database, contact: ContactId, since: number): ReceivedTexts {
  const sizes = `SELECT COALESCE(SUM(LENGTH(CAST(text AS BLOB))), 0) FROM (${RECEIVED})`
  const times = `SELECT stored_at FROM (${RECEIVED}) WHERE stored_at > ?2 ORDER BY stored_at`
  return {
    bytes: database.select((row) => row.number(0), sizes, contact)[0] ?? 0,
    times: database.select((row) => row.number(0), times, contact, since),
  }
}

export function hasFrame(database: Database, device: DeviceId, mid: Uint8Array): boolean {
  const sql = "SELECT 1 FROM received_frames WHERE device = ? AND mid = ?"
  return database.select(() => true, sql, device, mid).length > 0
}

/** What a contact names of ours may also be the id of one of theirs: the first stored is meant. */
export function findMessage(
  database: Database,
  contact: ContactId,
  id: Uint8Array,
  mine?: boolean,
): MessageRecord | undefined {
  const authors = mine === undefined ? [0, 1] : [Number(mine)]
  const sql = `${SELECT} FROM messages m WHERE contact = ? AND mine IN (?, ?) AND id = ? ORDER BY seq LIMIT 1`
  return database.select(MESSAGES.read, sql, contact, authors[0] ?? 0, authors.at(-1) ?? 0, id)[0]
}

/** The index of contact, author and id finds them; it has no order by id alone, so all its rows are read. */
export function messagesBetween(
  database: Database,
  first: Uint8Array,
  last: Uint8Array,
  limit: number,
): MessageRecord[] {
  const seqs =
    "SELECT seq FROM messages INDEXED BY sqlite_autoindex_messages_1 WHERE id BETWEEN ? AND ? LIMIT ?"
  return database.select(
    MESSAGES.read,
    `${SELECT} FROM messages m WHERE seq IN (${seqs})`,
    first,
    last,
    limit,
  )
}

export function countMessages(
  database: Database,
  contact: ContactId,
  from: number,
  upTo: number,
): MessageCount {
  const [found = { messages: 0, lastSeq: FIRST_SEQ }] = database.select(
    (row) => ({ messages: row.number(0), lastSeq: row.number(1) }),
    "SELECT count(*), coalesce(max(seq), 0) FROM messages WHERE contact = ? AND seq BETWEEN ? AND ?",
    contact,
    from,
    upTo,
  )
  return found
}

export function nextExpiry(database: Database): number | undefined {
  const sql = "SELECT expires_at FROM messages WHERE expires_at > 0 ORDER BY expires_at LIMIT 1"
  return database.select((row) => row.number(0), sql)[0]
}

/**
 * Each word as a quoted FTS5 string, in which only the quote is special, and as a prefix. Only words that
 * have a letter or digit: the others leave an empty phrase.
 */
function searchQuery(words: string): string | undefined {
  const searchable = words
    .split(/[\s\0]+/u)
    .filter((word) => /[\p{L}\p{N}]/u.test(word))
    .slice(0, SEARCH_WORDS_MAX)
  if (searchable.length === 0) return undefined
  return searchable.map((word) => `"${word.replaceAll('"', '""')}"*`).join(" AND ")
}
