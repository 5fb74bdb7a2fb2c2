import type { Database } from "./database.ts"
import { integer, oneOf } from "./fields.ts"
import { table } from "./table.ts"

/** Whether the key was compared whose place another took. */
export type FormerKey = "compared" | "uncompared"

export const CREATE_FORMER_KEYS = `
  -- Messages to and from an account whose place in a conversation another took: they stay its own.
  CREATE TABLE former_keys (
    message INTEGER PRIMARY KEY REFERENCES messages ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    key TEXT NOT NULL CHECK (key IN ('compared', 'uncompared'))
  ) STRICT;
`

export const FORMER_KEYS = table<{ readonly message: number; readonly key: FormerKey }>(
  "former_keys",
  ["message"],
  { message: integer, key: oneOf(["compared", "uncompared"]) },
)

/** Those of a conversation that another takes over; one that was of a former key before stays what it is. */
export function keepFormerKey(database: Database, contact: number, key: FormerKey): void {
  database.run(
    `INSERT OR IGNORE INTO former_keys (message, key)
     SELECT seq, ? FROM messages WHERE conversation = (SELECT id FROM conversations WHERE contact = ?)`,
    key,
    contact,
  )
}

/** By the seq of the message; those of the present key are missing. */
export function formerKeys(database: Database, seqs: readonly number[]): ReadonlyMap<number, FormerKey> {
  if (seqs.length === 0) return new Map()
  const sql = `SELECT ${FORMER_KEYS.columns.join(", ")} FROM former_keys
    WHERE message IN (SELECT value FROM json_each(?))`
  const found = database.select(FORMER_KEYS.read, sql, JSON.stringify(seqs))
  return new Map(found.map(({ message, key }) => [message, key]))
}
