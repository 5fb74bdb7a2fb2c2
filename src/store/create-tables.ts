import { CREATE_HANDSHAKE_TABLES } from "./create-handshake-tables.ts"
import { CREATE_SUPERSEDED_KEYS } from "./superseded-keys.ts"
import { CREATE_INTRODUCTIONS } from "./introduction-record.ts"

/**
 * The tables of a new store, by noun. References are checked at the end of a commit, whose writes come in any order.
 * Change them freely until the first release; then each change is a step of its own.
 */

const CONTACTS = `
  CREATE TABLE contacts (
    -- AUTOINCREMENT: the number of a forgotten contact never comes back.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id BLOB UNIQUE,
    compared_links INTEGER NOT NULL,
    locked_at INTEGER NOT NULL,
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL UNIQUE,
    verified INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    read_receipts INTEGER NOT NULL,
    typing INTEGER NOT NULL,
    receipt_delay INTEGER NOT NULL,
    introducer_account BLOB,
    introducer_name TEXT
  ) STRICT;
`

const ACCOUNTS = `
  CREATE TABLE account_links (
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    -- 0 is believed; 1 is the other side of a fork.
    branch INTEGER NOT NULL,
    number INTEGER NOT NULL,
    link BLOB NOT NULL,
    PRIMARY KEY (contact, branch, number)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE own_account_links (
    number INTEGER PRIMARY KEY,
    link BLOB NOT NULL
  ) STRICT;
`

const DEVICES = `
  CREATE TABLE devices (
    -- AUTOINCREMENT: as for contacts.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    key BLOB NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('init-sent', 'unconfirmed', 'established', 'recovering')),
    peer_inbox BLOB NOT NULL,
    mailbox BLOB NOT NULL,
    -- Empty without a session.
    comparison BLOB NOT NULL,
    recovery_secret BLOB NOT NULL,
    next_recovery_secret BLOB NOT NULL,
    recovery_bundle BLOB NOT NULL,
    moved_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX devices_by_contact ON devices (contact);
`

const SESSIONS = `
  CREATE TABLE sessions (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    snapshot BLOB NOT NULL
  ) STRICT;

  CREATE TABLE text_numbers (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    sent INTEGER NOT NULL,
    received INTEGER NOT NULL
  ) STRICT;

  -- What a device wrote before its contact was unblocked.
  CREATE TABLE left_out (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    until INTEGER NOT NULL,
    ahead INTEGER NOT NULL,
    turns INTEGER NOT NULL,
    resealed_until INTEGER NOT NULL,
    first_kept INTEGER NOT NULL,
    noted INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE pending_receipts (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    -- 8 bytes each, as in the replay cache.
    mids BLOB NOT NULL
  ) STRICT;

  CREATE TABLE replay_cache (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    owed BLOB NOT NULL,
    passing BLOB NOT NULL
  ) STRICT;

  CREATE TABLE withdrawn_texts (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    -- 8 bytes each, as many of one as of the other.
    mids BLOB NOT NULL,
    ids BLOB NOT NULL
  ) STRICT;
`

const CONVERSATIONS = `
  CREATE TABLE conversations (
    -- AUTOINCREMENT: the number of a forgotten conversation never comes back.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('direct')),
    -- With whom, if it is direct.
    contact INTEGER UNIQUE REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    timer INTEGER NOT NULL,
    timer_set_at INTEGER NOT NULL,
    draft TEXT NOT NULL,
    muted_until INTEGER NOT NULL
  ) STRICT;
`

const MESSAGES = `
  CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    -- NULL: we, or a line, which no one wrote.
    author INTEGER REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    -- The author's, 8 bytes; a line has one of ours.
    id BLOB NOT NULL,
    -- Of the text as it was sent first, 16 bytes; a line has none.
    digest BLOB NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('text', 'line')),
    text TEXT NOT NULL,
    sent_at INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (
      state IN ('queued', 'broker', 'delivered', 'read', 'given-up', 'cancelled', 'received')
    ),
    shown INTEGER NOT NULL,
    timer INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- NULL: it answers none. The author is the beginning of an account id, and may be someone unknown.
    reply_to_author BLOB,
    reply_to_id BLOB,
    reply_to_digest BLOB,
    -- The time of the edit that is the text now; NULL: it is the first.
    edited_at INTEGER,
    -- When its author deleted it for both sides; its text is then empty.
    deleted_at INTEGER,
    -- Whether it has rows in reactions, so that most messages need no look there.
    has_reactions INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  -- Two NULLs are not equal, two messages of ours under one id are.
  CREATE UNIQUE INDEX messages_by_id ON messages (conversation, ifnull(author, 0), id);
  CREATE INDEX messages_by_conversation ON messages (conversation);
  CREATE INDEX messages_by_author ON messages (author) WHERE author IS NOT NULL;
  CREATE INDEX messages_unshown ON messages (conversation) WHERE shown = 0;
  CREATE INDEX messages_edited ON messages (conversation, edited_at) WHERE edited_at IS NOT NULL;
  CREATE INDEX messages_deleted ON messages (conversation, deleted_at) WHERE deleted_at IS NOT NULL;
  CREATE INDEX messages_expiring ON messages (expires_at) WHERE expires_at > 0;

  -- The words only; the texts are those of the messages table.
  CREATE VIRTUAL TABLE words USING fts5 (
    text, content = 'messages', content_rowid = 'seq', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2'
  );
  INSERT INTO words (words, rank) VALUES ('secure-delete', 1);

  -- Texts that are no longer here: they may come once more, or be answered. An author of 0 is ourselves.
  CREATE TABLE known_ids (
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    author INTEGER NOT NULL,
    id BLOB NOT NULL,
    digest BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (conversation, author, id)
  ) STRICT, WITHOUT ROWID;

  -- How far a message of ours is with each account that it was sent to; its own state is the sum.
  CREATE TABLE recipients (
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    contact INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    state TEXT NOT NULL CHECK (state IN ('queued', 'broker', 'delivered', 'read', 'given-up', 'cancelled')),
    at INTEGER NOT NULL,
    PRIMARY KEY (message, contact)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX recipients_by_contact ON recipients (contact);
`

const CHANGES = `
  -- What edited messages said before: the first text and all edits but the newest.
  CREATE TABLE earlier_texts (
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    is_first INTEGER NOT NULL,
    time INTEGER NOT NULL,
    text TEXT NOT NULL
  ) STRICT;
  CREATE INDEX earlier_texts_by_message ON earlier_texts (message);
  CREATE INDEX earlier_texts_by_conversation ON earlier_texts (conversation) WHERE is_first = 0;

  CREATE TABLE reactions (
    message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    -- A contact; 0 is ourselves.
    person INTEGER NOT NULL,
    -- Empty: it was taken away.
    emoji TEXT NOT NULL,
    time INTEGER NOT NULL,
    PRIMARY KEY (message, person)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX reactions_of_ours ON reactions (time) WHERE person = 0;

  -- Changes of messages of theirs that are not here yet.
  CREATE TABLE early_changes (
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    author INTEGER NOT NULL REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    id BLOB NOT NULL,
    digest BLOB NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('edit', 'delete', 'reaction')),
    time INTEGER NOT NULL,
    -- Of an edit its text, of a reaction its emoji.
    text TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX early_changes_by_message ON early_changes (conversation, author, id);
`

const DELIVERY = `
  -- Session messages that changed the conversation, by 8 bytes of their mid: their keys are gone, so one that comes
  -- again is known by this alone.
  CREATE TABLE received_frames (
    device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    mid BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (device, mid)
  ) STRICT, WITHOUT ROWID;

  -- Texts that wait for those before them; without an id, the word that none waits under this number.
  CREATE TABLE held (
    device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    number INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    -- Why none comes under this number; NULL: there is a text, or nothing to show.
    gone TEXT,
    id BLOB,
    digest BLOB,
    text TEXT,
    sent_at INTEGER,
    timer INTEGER,
    reply_to_author BLOB,
    reply_to_id BLOB,
    reply_to_digest BLOB,
    PRIMARY KEY (device, number)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE outgoing (
    seq INTEGER PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    mid BLOB NOT NULL,
    kind TEXT NOT NULL CHECK (
      kind IN ('text', 'control', 'passing', 'rejection', 'init', 'handshake', 'resend', 'chain', 'gone', 'pq-ct', 'topic', 'topic-ok')
    ),
    delivered INTEGER NOT NULL,
    topic TEXT NOT NULL,
    wire BLOB NOT NULL,
    published INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    days_tried INTEGER NOT NULL,
    last_day_tried INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    carries_id BLOB,
    carries_number INTEGER,
    change_id BLOB,
    change_digest BLOB,
    -- NULL: the message is ours.
    change_author INTEGER,
    change_kind TEXT,
    change_time INTEGER,
    change_number INTEGER,
    withdrawn_number INTEGER,
    -- The broker did not take it: reason code of MQTT 5, and the largest packet that it took then.
    refusal_reason INTEGER,
    refusal_limit INTEGER
  ) STRICT;
  CREATE INDEX outgoing_by_device ON outgoing (device);
`

const EVENTS = `
  -- What a program that was away has missed. AUTOINCREMENT: a number never comes back.
  CREATE TABLE events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation INTEGER NOT NULL REFERENCES conversations ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    author INTEGER REFERENCES contacts ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    id BLOB NOT NULL,
    -- NULL: the message was added, or changed.
    state TEXT,
    -- How it was changed; else NULL.
    change TEXT
  ) STRICT;
`

const SETTINGS = `
  CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
`

export const CREATE_TABLES: readonly string[] = [
  CONTACTS,
  ACCOUNTS,
  DEVICES,
  SESSIONS,
  CREATE_HANDSHAKE_TABLES,
  CONVERSATIONS,
  MESSAGES,
  CHANGES,
  DELIVERY,
  EVENTS,
  CREATE_SUPERSEDED_KEYS,
  CREATE_INTRODUCTIONS,
  SETTINGS,
]
