import type { Database, Value } from "./database.ts"

/** Tables for the contacts' data that version 3 kept in `settings`, under keys such as `order/7`. */
export const DEVICE_TABLES_4 = `
  ALTER TABLE contacts ADD COLUMN next_recovery_secret BLOB NOT NULL DEFAULT x'';

  CREATE TABLE text_numbers (
    contact INTEGER PRIMARY KEY REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    sent INTEGER NOT NULL,
    received INTEGER NOT NULL,
    resync INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE pending_receipts (
    contact INTEGER PRIMARY KEY REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    -- 8 bytes each, as in the replay cache.
    mids BLOB NOT NULL
  ) STRICT;

  CREATE TABLE replay_cache (
    contact INTEGER PRIMARY KEY REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    owed BLOB NOT NULL,
    passing BLOB NOT NULL
  ) STRICT;

  CREATE TABLE unsent_texts (
    contact INTEGER PRIMARY KEY REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    session BLOB NOT NULL
  ) STRICT;

  CREATE TABLE superseded_sessions (
    contact INTEGER PRIMARY KEY REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    since INTEGER NOT NULL,
    inbox BLOB NOT NULL,
    snapshot BLOB NOT NULL
  ) STRICT;

  CREATE TABLE accepted_inits (
    contact INTEGER PRIMARY KEY REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    -- 16 bytes each.
    mids BLOB NOT NULL
  ) STRICT;

  CREATE TABLE recoveries (
    contact INTEGER PRIMARY KEY REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    unmatched INTEGER NOT NULL,
    -- u64 each.
    started_at BLOB NOT NULL,
    lost_init_mid BLOB,
    lost_init_at INTEGER
  ) STRICT;
`

/** The value of a setting about the contact, or empty. */
type Settings = (name: string) => Uint8Array

type Migrator = (database: Database, contact: number, settings: Settings) => void

const MIGRATORS: readonly Migrator[] = [
  moveTextNumbers,
  moveSupersededSession,
  moveRecovery,
  moveReplayCache,
  moveNextSecret,
  (...from) => moveBytes("pending_receipts", "receipts", from),
  (...from) => moveBytes("unsent_texts", "unsent", from),
  (...from) => moveBytes("accepted_inits", "inits", from),
]

/** Drops values of forgotten contacts and values of a wrong length. */
export function moveSettings(database: Database): void {
  const all = new Map(
    database.select((row) => [row.text(0), row.bytes(1)] as const, "SELECT key, value FROM settings"),
  )
  for (const contact of database.select((row) => row.number(0), "SELECT id FROM contacts")) {
    const settings: Settings = (name) => all.get(`${name}/${contact}`) ?? new Uint8Array(0)
    for (const migrate of MIGRATORS) migrate(database, contact, settings)
  }
  database.run("DELETE FROM settings WHERE instr(key, '/') > 0")
}

function moveTextNumbers(database: Database, contact: number, settings: Settings): void {
  const order = settings("order")
  if (order.length !== 9) return
  insert(database, "text_numbers", [contact, u32(order, 0), u32(order, 4), order[8] === 1 ? 1 : 0])
}

function moveSupersededSession(database: Database, contact: number, settings: Settings): void {
  const superseded = settings("former")
  if (superseded.length <= 40) return
  insert(database, "superseded_sessions", [
    contact,
    u64(superseded, 0),
    superseded.slice(8, 40),
    superseded.slice(40),
  ])
}

function moveRecovery(database: Database, contact: number, settings: Settings): void {
  const [unmatched = 0] = settings("strange")
  const startedAt = settings("recoveries")
  const lost = settings("lost-init")
  const lostInit = lost.length === 24 ? [lost.slice(0, 16), u64(lost, 16)] : [null, null]
  if (unmatched === 0 && startedAt.length === 0 && lost.length !== 24) return
  insert(database, "recoveries", [contact, unmatched, startedAt, ...lostInit])
}

function moveReplayCache(database: Database, contact: number, settings: Settings): void {
  const lists = [settings("seen-owed"), settings("seen-passing")]
  if (lists.some(({ length }) => length > 0)) insert(database, "replay_cache", [contact, ...lists])
}

function moveNextSecret(database: Database, contact: number, settings: Settings): void {
  database.run("UPDATE contacts SET next_recovery_secret = ? WHERE id = ?", settings("next-secret"), contact)
}

function moveBytes(table: string, name: string, [database, contact, settings]: Parameters<Migrator>): void {
  const value = settings(name)
  if (value.length > 0) insert(database, table, [contact, value])
}

function insert(database: Database, table: string, values: readonly Value[]): void {
  database.run(`INSERT INTO ${table} VALUES (${values.map(() => "?").join(", ")})`, ...values)
}

function u32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true)
}

function u64(bytes: Uint8Array, at: number): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true))
}
