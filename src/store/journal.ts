import { concat } from "../crypto/bytes.ts"
import type { Database } from "./database.ts"
import type { ContactRecord, MessageRecord, OpenBundleRecord, OutgoingRecord, Write } from "./records.ts"

/** The greatest end of a mid, whose beginning alone a receipt names. */
const LAST_8 = new Uint8Array(8).fill(0xff)

/** Writes all of it or nothing; on disk when this returns. */
export function commit(database: Database, writes: readonly Write[]): void {
  database.transaction(() => {
    for (const write of writes) apply(database, write)
  })
}

function apply(database: Database, write: Write): void {
  switch (write.write) {
    case "contact": {
      putContact(database, write.contact)
      return
    }
    case "forget-contact": {
      forgetContact(database, write.id)
      return
    }
    case "session": {
      database.run(
        "INSERT INTO sessions VALUES (?, ?) ON CONFLICT DO UPDATE SET snapshot = excluded.snapshot",
        write.contact,
        write.snapshot,
      )
      return
    }
    case "message": {
      addMessage(database, write.message)
      return
    }
    case "message-state": {
      database.run(
        "UPDATE messages SET state = ? WHERE mine = 1 AND contact = ? AND mid BETWEEN ? AND ?",
        write.state,
        write.contact,
        write.mid8,
        concat(write.mid8, LAST_8),
      )
      return
    }
    case "shown": {
      database.run(
        "UPDATE messages SET shown = 1 WHERE shown = 0 AND contact = ? AND seq <= ?",
        write.contact,
        write.upTo,
      )
      return
    }
    case "outgoing": {
      putOutgoing(database, write.outgoing)
      return
    }
    case "outgoing-done": {
      database.run("DELETE FROM outgoing WHERE seq = ?", write.seq)
      return
    }
    case "open-bundle": {
      putOpenBundle(database, write.bundle)
      return
    }
    case "close-bundle": {
      database.run("DELETE FROM open_bundles WHERE tag = ?", write.tag)
      return
    }
    case "setting": {
      database.run(
        "INSERT INTO settings VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        write.key,
        write.value,
      )
      return
    }
  }
}

function putContact(database: Database, contact: ContactRecord): void {
  database.run(
    `INSERT INTO contacts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET
       identity = excluded.identity, name = excluded.name, folded_name = excluded.folded_name, state = excluded.state,
       verified = excluded.verified, blocked = excluded.blocked, peer_inbox = excluded.peer_inbox,
       mailbox = excluded.mailbox, sas = excluded.sas, recovery_secret = excluded.recovery_secret,
       recovery_bundle = excluded.recovery_bundle, added_at = excluded.added_at`,
    contact.id,
    contact.identity,
    contact.name,
    contact.name.normalize("NFKC").toLowerCase(),
    contact.state,
    Number(contact.verified),
    Number(contact.blocked),
    contact.peerInbox,
    contact.mailbox,
    contact.sas,
    contact.recoverySecret,
    contact.recoveryBundle,
    contact.addedAt,
  )
}

/** The words go first: to take them out of the index, FTS5 reads the texts once more. */
function forgetContact(database: Database, id: number): void {
  database.run(
    "INSERT INTO words (words, rowid, text) SELECT 'delete', seq, text FROM messages WHERE contact = ?",
    id,
  )
  database.run("DELETE FROM contacts WHERE id = ?", id)
}

function addMessage(database: Database, message: Omit<MessageRecord, "seq">): void {
  database.run(
    `INSERT INTO messages (contact, mid, mine, text, sent_at, stored_at, state, shown)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    message.contact,
    message.mid,
    Number(message.mine),
    message.text,
    message.sentAt,
    message.storedAt,
    message.state,
    Number(message.shown),
  )
  database.run("INSERT INTO words (rowid, text) VALUES (last_insert_rowid(), ?)", message.text)
}

function putOutgoing(database: Database, outgoing: OutgoingRecord): void {
  database.run(
    `INSERT INTO outgoing VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       contact = excluded.contact, mid = excluded.mid, kind = excluded.kind, topic = excluded.topic,
       wire = excluded.wire, published = excluded.published, attempts = excluded.attempts,
       due_at = excluded.due_at, created_at = excluded.created_at`,
    outgoing.seq,
    outgoing.contact,
    outgoing.mid,
    outgoing.kind,
    outgoing.topic,
    outgoing.wire,
    Number(outgoing.published),
    outgoing.attempts,
    outgoing.dueAt,
    outgoing.createdAt,
  )
}

function putOpenBundle(database: Database, bundle: OpenBundleRecord): void {
  database.run(
    `INSERT INTO open_bundles VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET
       request_tag = excluded.request_tag, mode = excluded.mode, psk = excluded.psk, open = excluded.open,
       mailbox = excluded.mailbox, contact = excluded.contact, not_after = excluded.not_after`,
    bundle.tag,
    bundle.requestTag,
    bundle.mode,
    bundle.psk,
    bundle.open,
    bundle.mailbox,
    bundle.contact,
    bundle.notAfter,
  )
}
