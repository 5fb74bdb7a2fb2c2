import type { Database } from "./database.ts"
import type { ConversationId } from "./ids.ts"
import type { KnownId } from "./message-records.ts"
import { WE } from "./names.ts"
import { KNOWN_IDS } from "./tables.ts"

/** Before all others: no conversation has this number. */
const FIRST = { conversation: 0 as ConversationId, author: WE, id: new Uint8Array(0) }

/** The next ones, in the order of their names. */
export function knownIdsAfter(
  database: Database,
  after: Pick<KnownId, "conversation" | "author" | "id"> | undefined,
  limit: number,
): KnownId[] {
  const { conversation, author, id } = after ?? FIRST
  const name = "conversation, author, id"
  const sql = `SELECT ${KNOWN_IDS.columns.join(", ")} FROM known_ids WHERE (${name}) > (?, ?, ?) ORDER BY ${name} LIMIT ?`
  return database.select(KNOWN_IDS.read, sql, conversation, author, id, limit)
}
