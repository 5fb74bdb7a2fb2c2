import type { ContentChange } from "../content/content.ts"
import type { Database } from "./database.ts"
import { AUTHOR, WE } from "./names.ts"
import type { EventRecord } from "./records.ts"
import { EVENTS } from "./tables.ts"

/** A reader that was away for longer reads the conversations instead: they hold everything. */
export const EVENTS_KEPT = 10_000
/** Old rows are deleted together, so that most commits delete none. */
const DELETED_AT_ONCE = 1_000

export function addEvent(database: Database, event: EventRecord): void {
  const { number } = event
  if (event.change !== undefined) forgetEarlier(database, event, event.change)
  database.run(EVENTS.insert, ...EVENTS.values(event))
  if (number % DELETED_AT_ONCE === 0)
    database.run("DELETE FROM events WHERE number <= ?", number - EVENTS_KEPT)
}

/** Of several changes of one kind to one message the last one stays: events show messages as they are now. */
function forgetEarlier(
  database: Database,
  { conversation, author, id }: EventRecord,
  change: ContentChange["kind"],
): void {
  const sql = `DELETE FROM events WHERE conversation = ? AND ${AUTHOR} = ? AND id = ? AND change = ?`
  database.run(sql, conversation, author ?? WE, id, change)
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
