import type { Database } from "./database.ts"
import type { CarriedChange } from "./message-records.ts"
import { CHANGE_KINDS } from "./names.ts"
import type { ContactId, ConversationId } from "./ids.ts"

const HERE = `SELECT id FROM messages WHERE conversation = ? AND author = ? AND kind = 'text' ORDER BY seq DESC LIMIT ?`
const GONE = "SELECT id FROM known_ids WHERE conversation = ? AND author = ? ORDER BY at DESC LIMIT ?"

/** Ids of texts of this author, the newest first: of those that are here, and then of those that are not any more. */
export function newestIds(
  database: Database,
  conversation: ConversationId,
  author: ContactId,
  limit: number,
): Uint8Array[] {
  const find = (sql: string, most: number) =>
    database.select((row) => row.bytes(0), sql, conversation, author, most)
  const here = find(HERE, limit)
  return here.length < limit ? [...here, ...find(GONE, limit - here.length)] : here
}

const OWN_CHANGES = `
  SELECT author, id, digest, 'edit', edited_at AS time FROM messages
    WHERE conversation = ?1 AND edited_at >= ?2 AND author IS NULL AND deleted_at IS NULL
  UNION ALL
  SELECT author, id, digest, 'delete', deleted_at FROM messages
    WHERE conversation = ?1 AND deleted_at >= ?2 AND author IS NULL
  UNION ALL
  SELECT m.author, m.id, m.digest, 'reaction', r.time FROM reactions r JOIN messages m ON m.seq = r.message
    WHERE r.person = 0 AND r.time >= ?2 AND m.conversation = ?1 AND m.deleted_at IS NULL
  ORDER BY time LIMIT ?3`

/** The first changes that we made since then: of each message the newest of a kind. No session has given them a number. */
export function ownChanges(
  database: Database,
  conversation: ConversationId,
  since: number,
  limit: number,
): CarriedChange[] {
  return database.select(
    (row) => ({
      author: row.isNull(0) ? null : row.number(0),
      id: row.bytes(1),
      digest: row.bytes(2),
      kind: row.oneOf(3, CHANGE_KINDS),
      time: row.number(4),
      number: -1,
    }),
    OWN_CHANGES,
    conversation,
    since,
    limit,
  )
}
