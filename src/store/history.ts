import { concat, equal } from "../crypto/bytes.ts"
import type { Database, Row } from "./database.ts"
import type { ContactId, MessageRecord } from "./records.ts"

/** The greatest end of a mid of which only the beginning is known. */
export const LAST_8 = new Uint8Array(8).fill(0xff)

/** Words beyond this narrow a search no further; each costs a lookup. */
const SEARCH_WORDS_MAX = 32

const MESSAGE_KINDS = ["text", "line"] as const
const MESSAGE_STATES = ["queued", "broker", "delivered", "read", "given-up", "cancelled", "received"] as const

/** The columns of a message, in the order in which they are written and read. */
export const MESSAGE_VALUES =
  "contact, mid, mine, kind, text, sent_at, stored_at, state, shown, original, timer, expires_at"
const MESSAGE = ["seq", ...MESSAGE_VALUES.split(", ")].map((column) => `m.${column}`).join(", ")

/** Messages with `contact` before the seq `before`, the last `limit` of them, oldest first. */
type Page = { readonly contact: ContactId; readonly limit: number; readonly before: number }

export function lastMessages(database: Database, page: Page): MessageRecord[] {
  return database
    .select(
      readMessage,
      `SELECT ${MESSAGE} FROM messages m WHERE contact = ? AND seq < ? ORDER BY seq DESC LIMIT ?`,
      page.contact,
      page.before,
      page.limit,
    )
    .reverse()
}

export function messagesAfter(database: Database, after: number, limit: number): MessageRecord[] {
  const sql = `SELECT ${MESSAGE} FROM messages m WHERE seq > ? ORDER BY seq LIMIT ?`
  return database.select(readMessage, sql, after, limit)
}

export function unshownMessages(database: Database): MessageRecord[] {
  return database.select(readMessage, `SELECT ${MESSAGE} FROM messages m WHERE shown = 0 ORDER BY seq`)
}

/** Newest first. All words must occur, each at least as the beginning of one in the text. */
export function findMessages(database: Database, words: string, limit: number): MessageRecord[] {
  const query = searchQuery(words)
  if (query === undefined) return []
  return database.select(
    readMessage,
    `SELECT ${MESSAGE} FROM words w JOIN messages m ON m.seq = w.rowid WHERE words MATCH ?
     ORDER BY w.rowid DESC LIMIT ?`,
    query,
    limit,
  )
}

export function hasMessage(database: Database, contact: ContactId, mid: Uint8Array): boolean {
  return database
    .select(
      (row) => row.bytes(0),
      `SELECT mid FROM messages WHERE contact = ?1 AND mid = ?2
       UNION ALL SELECT mid FROM held WHERE contact = ?1 AND mid = ?2
       UNION ALL SELECT mid FROM absent WHERE contact = ?1 AND mid = ?2`,
      contact,
      mid,
    )
    .some((found) => equal(found, mid))
}

export function findMessage(
  database: Database,
  contact: ContactId,
  mid: Uint8Array,
): MessageRecord | undefined {
  const sql = `SELECT ${MESSAGE} FROM messages m WHERE contact = ? AND mid BETWEEN ? AND ?`
  return database.select(readMessage, sql, contact, mid, concat(mid, LAST_8))[0]
}

export function nextExpiry(database: Database): number | undefined {
  const sql = "SELECT expires_at FROM messages WHERE expires_at > 0 ORDER BY expires_at LIMIT 1"
  return database.select((row) => row.number(0), sql)[0]
}

/**
 * Each word as a quoted FTS5 string, in which only the quote itself has a meaning, and as a prefix. Only words that
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

function readMessage(row: Row): MessageRecord {
  return {
    seq: row.number(0),
    contact: row.number(1),
    mid: row.bytes(2),
    mine: row.number(3) === 1,
    kind: row.oneOf(4, MESSAGE_KINDS),
    text: row.text(5),
    sentAt: row.number(6),
    storedAt: row.number(7),
    state: row.oneOf(8, MESSAGE_STATES),
    shown: row.number(9) === 1,
    original: row.bytes(10),
    timer: row.number(11),
    expiresAt: row.number(12),
  }
}
