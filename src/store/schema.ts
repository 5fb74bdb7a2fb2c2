import { Fault } from "../errors.ts"
import type { Database } from "./database.ts"
import { damaged } from "./database.ts"
import { DEVICE_TABLES_4, moveSettings } from "./settings-to-tables.ts"

/** Changes of the tables, and of their rows where SQL cannot express that. */
type Step = string | { readonly sql: string; readonly moveRows: (database: Database) => void }

const EVENT_LOG = `
  -- What a program that was away has missed. AUTOINCREMENT: a number never comes back.
  CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    mid BLOB NOT NULL,
    -- NULL: the message was added.
    state TEXT
  ) STRICT;
  `

/**
 * Every step that ever changed the tables, in order. A step that has been released is never edited, so it names its
 * columns itself: the tables of tables.ts are those after the last step. `user_version` counts the steps a file has had.
 */
const MIGRATIONS: readonly Step[] = [
  `
  -- References are checked at the end of a commit, whose writes come in any order.
  CREATE TABLE contacts (
    -- AUTOINCREMENT: the number of a forgotten contact never comes back.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    identity BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('init-sent', 'unconfirmed', 'established', 'recovering')),
    verified INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    peer_inbox BLOB NOT NULL,
    mailbox BLOB NOT NULL,
    sas BLOB NOT NULL,
    recovery_secret BLOB NOT NULL,
    recovery_bundle BLOB NOT NULL,
    added_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE sessions (
    contact INTEGER PRIMARY KEY REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    snapshot BLOB NOT NULL
  ) STRICT;

  CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    mid BLOB NOT NULL,
    mine INTEGER NOT NULL,
    text TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'broker', 'delivered', 'given-up', 'received')),
    shown INTEGER NOT NULL,
    UNIQUE (contact, mid)
  ) STRICT;
  CREATE INDEX messages_by_contact ON messages (contact);
  CREATE INDEX messages_unshown ON messages (contact) WHERE shown = 0;

  -- The words only; the texts are those of the messages table.
  CREATE VIRTUAL TABLE words USING fts5 (
    text, content = 'messages', content_rowid = 'seq', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2'
  );
  INSERT INTO words (words, rank) VALUES ('secure-delete', 1);

  CREATE TABLE outgoing (
    seq INTEGER PRIMARY KEY,
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    mid BLOB NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('text', 'control', 'ack', 'init')),
    topic TEXT NOT NULL,
    wire BLOB NOT NULL,
    published INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX outgoing_by_contact ON outgoing (contact);

  CREATE TABLE open_bundles (
    tag BLOB PRIMARY KEY,
    request_tag BLOB NOT NULL,
    mode INTEGER NOT NULL,
    psk BLOB NOT NULL,
    open BLOB NOT NULL,
    mailbox BLOB NOT NULL,
    contact INTEGER REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    not_after INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE contacts ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE contacts ADD COLUMN read_receipts INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE contacts ADD COLUMN typing INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE contacts ADD COLUMN receipt_delay INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE contacts ADD COLUMN timer INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE contacts ADD COLUMN timer_set_at INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE contacts ADD COLUMN moved_at INTEGER NOT NULL DEFAULT 0;

  -- New tables under the old names: a CHECK cannot be altered. The words keep their rows, for seq stays.
  CREATE TABLE messages_2 (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    mid BLOB NOT NULL,
    mine INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('text', 'line')),
    text TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (
      state IN ('queued', 'broker', 'delivered', 'read', 'given-up', 'cancelled', 'received')
    ),
    shown INTEGER NOT NULL,
    original BLOB NOT NULL,
    timer INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (contact, mid)
  ) STRICT;
  INSERT INTO messages_2
    SELECT seq, contact, mid, mine, 'text', text, sent_at, stored_at, state, shown, x'', 0, 0 FROM messages;
  DROP TABLE messages;
  ALTER TABLE messages_2 RENAME TO messages;
  CREATE INDEX messages_by_contact ON messages (contact);
  CREATE INDEX messages_unshown ON messages (contact) WHERE shown = 0;
  CREATE INDEX messages_by_original ON messages (contact, original) WHERE original <> x'';
  CREATE INDEX messages_expiring ON messages (expires_at) WHERE expires_at > 0;

  -- Texts that wait for those before them; without a mid, the word that this one never comes.
  CREATE TABLE held (
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    number INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    mid BLOB,
    original BLOB,
    text TEXT,
    sent_at INTEGER,
    timer INTEGER,
    PRIMARY KEY (contact, number)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE outgoing_2 (
    seq INTEGER PRIMARY KEY,
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    mid BLOB NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('text', 'control', 'passing', 'init')),
    topic TEXT NOT NULL,
    wire BLOB NOT NULL,
    published INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    text_mid BLOB,
    text_number INTEGER
  ) STRICT;
  -- Texts that were sealed before texts had numbers go out as they are.
  INSERT INTO outgoing_2
    SELECT o.seq, o.contact, o.mid, CASE o.kind WHEN 'ack' THEN 'passing' ELSE o.kind END, o.topic, o.wire,
      o.published, o.attempts, o.due_at, o.created_at, m.mid, -1
    FROM outgoing o LEFT JOIN messages m
      ON o.kind = 'text' AND m.contact = o.contact AND m.mine = 1 AND substr(m.mid, 1, 8) = o.mid;
  DROP TABLE outgoing;
  ALTER TABLE outgoing_2 RENAME TO outgoing;
  CREATE INDEX outgoing_by_contact ON outgoing (contact);
  `,
  `
  -- Texts of theirs that have disappeared, or are kept under another id, known as long as they may come once more.
  CREATE TABLE absent (
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    mid BLOB NOT NULL,
    original BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (contact, mid)
  ) STRICT, WITHOUT ROWID;
  `,
  { sql: DEVICE_TABLES_4, moveRows: moveSettings },
  EVENT_LOG,
]

/** Brings the tables up to date. Refuses a file of a later version: Fault `config`. */
export function migrate(database: Database, path: string): void {
  const [version] = database.select((row) => row.number(0), "PRAGMA user_version")
  if (version === undefined) throw damaged(path)
  if (version > MIGRATIONS.length) {
    throw new Fault(
      "config",
      `the message store ${path} was written by a later version`,
      "install the version of mqttchat that wrote it, or a later one",
    )
  }
  for (const [index, step] of MIGRATIONS.entries()) {
    if (index >= version) database.transaction(() => take(database, step, index + 1))
  }
}

function take(database: Database, step: Step, version: number): void {
  const { sql, moveRows } = typeof step === "string" ? { sql: step, moveRows: undefined } : step
  database.execute(sql)
  moveRows?.(database)
  database.execute(`PRAGMA user_version = ${version}`)
}
