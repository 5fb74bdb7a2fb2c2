import { applyChange, newestVersion, type Content, type Reaction } from "../content/content.ts"
import { findContent, type StoredContent } from "./content.ts"
import type { Database } from "./database.ts"
import { WE } from "./names.ts"
import { keepEarly, takeEarly } from "./early-changes.ts"
import { EARLIER_TEXTS, REACTIONS } from "./tables.ts"
import { put } from "./table.ts"
import type { ChangeWrite, TextName } from "./message-records.ts"
import type { ContactId } from "./ids.ts"

/**
 * Texts between the first and the newest, of all messages of one author in a conversation: with texts of the longest 64 MiB,
 * as much as a contact that is not verified may leave.
 */
const EARLIER_TEXTS_MAX = 1_000

/** Whether a message changed. A change that comes before its message waits until that is here [D-95]. */
export function changeMessage(database: Database, write: ChangeWrite): boolean {
  const before = findContent(database, write)
  if (before === undefined) {
    keepEarly(database, write)
    return false
  }
  if (isOfSupersededKey(database, before.seq, write)) return false
  const result = applyChange(before.content, write.change)
  if (result.kind === "refused") return false
  saveNewest(database, before, result.content)
  saveEarlier(database, { ...before, conversation: write.conversation }, result.content)
  for (const reaction of result.content.reactions)
    if (!before.content.reactions.includes(reaction)) saveReaction(database, before.seq, reaction)
  if (write.change.kind === "edit") forgetOldest(database, write)
  return true
}

/** The account that took the place of another one wrote none of its messages, and got none of ours that it did not get. */
function isOfSupersededKey(
  database: Database,
  message: number,
  { author, change: { by } }: ChangeWrite,
): boolean {
  if (by === null) return false
  const sql = `SELECT 1 FROM superseded_keys WHERE message = ?1 AND
    (?2 OR NOT EXISTS (SELECT 1 FROM recipients WHERE message = ?1 AND contact = ?3))`
  return database.select(() => true, sql, message, Number(author !== null), by).length > 0
}

/** Those that came before this message, which was just added. */
export function applyEarly(database: Database, message: TextName): void {
  for (const write of takeEarly(database, message)) changeMessage(database, write)
}

/** With the messages of a contact what became of them comes to another one. */
export function adoptChanges(database: Database, from: ContactId, to: ContactId): void {
  database.run(
    `UPDATE earlier_texts SET conversation = (SELECT conversation FROM messages WHERE seq = message)
     WHERE conversation = (SELECT id FROM conversations WHERE contact = ?)`,
    from,
  )
  database.run("UPDATE OR REPLACE reactions SET person = ? WHERE person = ?", to, from)
}

/** The index of words holds the newest text; a deleted one is in it without words, so that each text has one entry. */
function saveNewest(database: Database, { seq, content: before }: StoredContent, after: Content): void {
  const [old, now] = [newestVersion(before), newestVersion(after)]
  if (old === now) return
  const editedAt = after.edits.length === 0 ? null : now.time
  database.run("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", seq, old.text)
  database.run("INSERT INTO words (rowid, text) VALUES (?, ?)", seq, now.text)
  database.run(
    "UPDATE messages SET text = ?, edited_at = ?, deleted_at = ? WHERE seq = ?",
    now.text,
    editedAt,
    after.deletedAt,
    seq,
  )
  if (after.deletedAt !== null) forgetReactions(database, seq)
}

function saveEarlier(
  database: Database,
  { seq, conversation, rows }: StoredContent & { readonly conversation: number },
  { first, edits }: Content,
): void {
  const kept = edits.length === 0 ? [] : [first, ...edits.slice(1)]
  for (const [version, row] of rows)
    if (!kept.includes(version)) database.run("DELETE FROM earlier_texts WHERE rowid = ?", row)
  for (const version of kept) {
    if (rows.has(version)) continue
    const earlier = { ...version, message: seq, conversation, isFirst: version === first }
    database.run(EARLIER_TEXTS.insert, ...EARLIER_TEXTS.values(earlier))
  }
}

/** Of each author apart: no one can push out what another said. */
function forgetOldest(database: Database, { conversation, author }: TextName): void {
  database.run(
    `DELETE FROM earlier_texts WHERE rowid IN
       (SELECT e.rowid FROM earlier_texts e JOIN messages m ON m.seq = e.message
        WHERE e.conversation = ? AND e.is_first = 0 AND ifnull(m.author, ${WE}) = ?
        ORDER BY e.rowid DESC LIMIT -1 OFFSET ?)`,
    conversation,
    author ?? WE,
    EARLIER_TEXTS_MAX,
  )
}

function saveReaction(database: Database, message: number, reaction: Reaction): void {
  const { by, emoji, time } = reaction
  put(database, REACTIONS, { message, person: by ?? WE, emoji, time })
  database.run("UPDATE messages SET has_reactions = 1 WHERE seq = ?", message)
}

function forgetReactions(database: Database, message: number): void {
  database.run("DELETE FROM reactions WHERE message = ?", message)
}
