/** The tables of what a handshake leaves with a device, and of the bundles that wait for one. */
export const CREATE_HANDSHAKE_TABLES = `
  CREATE TABLE superseded_sessions (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    since INTEGER NOT NULL,
    inbox BLOB NOT NULL,
    snapshot BLOB NOT NULL
  ) STRICT;

  CREATE TABLE accepted_inits (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    -- 8 bytes each.
    mids BLOB NOT NULL
  ) STRICT;

  CREATE TABLE mailbox_rotations (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    next BLOB NOT NULL,
    since INTEGER NOT NULL,
    texts INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    confirmed INTEGER NOT NULL,
    -- 16 bytes each.
    old BLOB NOT NULL,
    -- 8 bytes each.
    old_since BLOB NOT NULL
  ) STRICT;

  CREATE TABLE previous_inboxes (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    inbox BLOB NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE own_inits (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    -- 8 bytes each.
    mids BLOB NOT NULL
  ) STRICT;

  CREATE TABLE crossed_sessions (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    snapshot BLOB NOT NULL,
    is_recovery INTEGER NOT NULL,
    mailbox BLOB NOT NULL,
    peer_inbox BLOB NOT NULL,
    comparison BLOB NOT NULL,
    recovery_secret BLOB NOT NULL,
    next_recovery_secret BLOB NOT NULL
  ) STRICT;

  CREATE TABLE recoveries (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    unmatched INTEGER NOT NULL,
    -- 8 bytes each, and u64 each.
    unmatched_mids BLOB NOT NULL,
    unmatched_at BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    lost_init_mid BLOB,
    lost_init_at INTEGER
  ) STRICT;

  CREATE TABLE resends (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    since INTEGER NOT NULL,
    -- 8 bytes each; NULL: it named none.
    have_ids BLOB,
    is_expected INTEGER NOT NULL,
    spent_at INTEGER NOT NULL,
    spent_texts INTEGER NOT NULL,
    spent_bytes INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE shown_accounts (
    device INTEGER PRIMARY KEY REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    account_id BLOB NOT NULL,
    length INTEGER NOT NULL,
    head BLOB NOT NULL,
    at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    tag BLOB NOT NULL,
    offer TEXT NOT NULL
  ) STRICT;

  CREATE TABLE open_bundles (
    tag BLOB PRIMARY KEY,
    request_tag BLOB NOT NULL,
    mode INTEGER NOT NULL,
    psk BLOB NOT NULL,
    open BLOB NOT NULL,
    mailbox BLOB NOT NULL,
    device INTEGER REFERENCES devices ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    not_after INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`
