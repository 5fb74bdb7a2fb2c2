import type { Database } from "./database.ts"
import { integer, oneOf, oneOfOptional } from "./fields.ts"
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

const KEYS = ["compared", "uncompared"] as const

export const SUPERSEDED_KEYS = table<{ readonly message: number; readonly key: SupersededKey }>(
  "superseded_keys",
  ["message"],
  { message: integer, key: oneOf(KEYS) },
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

/** A column of a SELECT from `messages m`. */
export const SELECT_SUPERSEDED_KEY = "(SELECT key FROM superseded_keys WHERE message = m.seq)"

/** Undefined is the present key. */
export const readSupersededKey = oneOfOptional(KEYS).read
