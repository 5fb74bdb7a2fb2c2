import type { Database } from "./database.ts"
import type { EventRecord } from "./records.ts"
import { EVENTS } from "./tables.ts"

/** A reader that was away for longer reads the conversations instead: they hold everything. */
export const EVENTS_KEPT = 10_000
/** Old rows are deleted together, so that most commits delete none. */
const DELETED_AT_ONCE = 1_000

export function addEvent(database: Database, event: EventRecord): void {
  const { number } = event
  database.run(EVENTS.insert, ...EVENTS.values(event))
  if (number % DELETED_AT_ONCE === 0)
    database.run("DELETE FROM events WHERE number <= ?", number - EVENTS_KEPT)
}

export function eventsAfter(database: Database, after: number, limit: number): EventRecord[] {
  const sql = `SELECT ${EVENTS.columns.join(", ")} FROM events WHERE number > ? ORDER BY number LIMIT ?`
  return database.select(EVENTS.read, sql, after, limit)
}

/** The last number, even if its row is gone; 0 before the first. */
export function lastEvent(database: Database): number {
  const sql = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
  return database.select((row) => row.number(0), sql)[0] ?? 0
}
