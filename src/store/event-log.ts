import type { Database, Row } from "./database.ts"
import type { EventRecord } from "./records.ts"

/** A reader that was away for longer reads the conversations again: they hold all of it. */
export const EVENTS_KEPT = 10_000
/** Old rows go in one deletion, so that most commits delete none. */
const DELETED_AT_ONCE = 1_000

const STATES = ["queued", "broker", "delivered", "read", "given-up", "cancelled", "received"] as const

export function addEvent(database: Database, { number, contact, mid, state }: EventRecord): void {
  database.run("INSERT INTO events VALUES (?, ?, ?, ?)", number, contact, mid, state)
  if (number % DELETED_AT_ONCE === 0)
    database.run("DELETE FROM events WHERE number <= ?", number - EVENTS_KEPT)
}

export function eventsAfter(database: Database, after: number, limit: number): EventRecord[] {
  const sql = "SELECT number, contact, mid, state FROM events WHERE number > ? ORDER BY number LIMIT ?"
  return database.select(readEvent, sql, after, limit)
}

/** Also where its row is gone; 0 before the first. */
export function lastEvent(database: Database): number {
  const sql = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
  return database.select((row) => row.number(0), sql)[0] ?? 0
}

function readEvent(row: Row): EventRecord {
  const state = row.isNull(3) ? null : row.oneOf(3, STATES)
  return { number: row.number(0), contact: row.number(1), mid: row.bytes(2), state }
}
