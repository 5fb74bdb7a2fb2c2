import { equal } from "../crypto/bytes.ts"
import type { Database, Row } from "./database.ts"
import type { ContactId, MessageRecord } from "./records.ts"

/** Words beyond this narrow a search no further; each costs a lookup. */
const SEARCH_WORDS_MAX = 32

const MESSAGE_STATES = ["queued", "broker", "delivered", "given-up", "received"] as const

const MESSAGE = "m.seq, m.contact, m.mid, m.mine, m.text, m.sent_at, m.stored_at, m.state, m.shown"

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
    .select((row) => row.bytes(0), "SELECT mid FROM messages WHERE contact = ? AND mid = ?", contact, mid)
    .some((found) => equal(found, mid))
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
    text: row.text(4),
    sentAt: row.number(5),
    storedAt: row.number(6),
    state: row.oneOf(7, MESSAGE_STATES),
    shown: row.number(8) === 1,
  }
}
