import type { Database } from "./database.ts"
import { integer, oneOf } from "./fields.ts"
import { AUTHOR, WE } from "./names.ts"
import { table } from "./table.ts"
import type { MessageName, SupersededKey } from "./message-records.ts"

export const CREATE_SUPERSEDED_KEYS = `
  -- Messages to and from an account whose place in a conversation another took: they stay its own.
  CREATE TABLE superseded_keys (
    message INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    key TEXT NOT NULL CHECK (key IN ('compared', 'uncompared'))
  ) STRICT;
`

export const SUPERSEDED_KEYS = table<{ readonly message: number; readonly key: SupersededKey }>(
  "superseded_keys",
  ["message"],
  { message: integer, key: oneOf(["compared", "uncompared"]) },
)

/** Those of a conversation that another takes over; one that was of a former key before stays what it is. */
export function keepSupersededKey(database: Database, contact: number, key: SupersededKey): void {
  database.run(
    `INSERT OR IGNORE INTO superseded_keys (message, key)
     SELECT seq, ? FROM messages WHERE conversation = (SELECT id FROM conversations WHERE contact = ?)`,
    key,
    contact,
  )
}

export function putSupersededKey(
  database: Database,
  { conversation, author, id, key }: MessageName & { readonly key: SupersededKey },
): void {
  database.run(
    `INSERT OR IGNORE INTO superseded_keys (message, key)
     SELECT seq, ? FROM messages WHERE conversation = ? AND ${AUTHOR} = ? AND id = ?`,
    key,
    conversation,
    author ?? WE,
    id,
  )
}

/** By the seq of the message; those of the present key are missing. */
export function supersededKeys(
  database: Database,
  seqs: readonly number[],
): ReadonlyMap<number, SupersededKey> {
  if (seqs.length === 0) return new Map()
  const sql = `SELECT ${SUPERSEDED_KEYS.columns.join(", ")} FROM superseded_keys
    WHERE message IN (SELECT value FROM json_each(?))`
  const found = database.select(SUPERSEDED_KEYS.read, sql, JSON.stringify(seqs))
  return new Map(found.map(({ message, key }) => [message, key]))
}
