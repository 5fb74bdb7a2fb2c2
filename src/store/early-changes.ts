import type { ContentChange } from "../content/content.ts"
import { equal } from "../crypto/bytes.ts"
import { DAY_MS } from "../time-units.ts"
import type { Database } from "./database.ts"
import { AUTHOR, WE } from "./names.ts"
import { selectAll } from "./table.ts"
import { EARLY_CHANGES, type EarlyChange } from "./tables.ts"
import type { ChangeWrite, TextName } from "./message-records.ts"

/** Between sessions a few overtake their message; a contact that sends more has a reason of its own. */
const EARLY_MAX = 256
const EARLY_BYTES_MAX = 1024 * 1024
/** A text is sent on 30 days, which may lie weeks apart. */
const EARLY_MS = 400 * DAY_MS

/**
 * Only of a message of theirs: one of ours cannot come. A message that has disappeared, or that said something else under
 * this id, does not come either.
 */
export function keepEarly(database: Database, write: ChangeWrite): void {
  const { conversation, author, id, digest, change, at } = write
  if (author === null || isKnown(database, write)) return
  forgetOld(database, at)
  if (change.kind === "delete") {
    forgetSaid(database, write)
    emptyHeld(database, write)
  } else if (isDeleted(database, write)) return
  const { kind, time } = change
  const text = textOf(change)
  database.run(
    EARLY_CHANGES.insert,
    ...EARLY_CHANGES.values({ conversation, author, id, digest, kind, time, text, at }),
  )
  forgetOverflow(database, author)
}

/** Removes those that wait for this message, or for another one under its id, which never comes. */
export function takeEarly(database: Database, name: TextName): ChangeWrite[] {
  const { conversation, author, id, digest } = name
  if (author === null) return []
  const found = database.select(EARLY_CHANGES.read, SELECT_UNDER_ID, conversation, author, id)
  if (found.length > 0) database.run(DELETE_UNDER_ID, conversation, author, id)
  return found.filter((change) => equal(change.digest, digest)).map(asWrite)
}

const UNDER_ID = "conversation = ? AND author = ? AND id = ?"
const SELECT_UNDER_ID = `SELECT ${EARLY_CHANGES.columns.join(", ")} FROM early_changes WHERE ${UNDER_ID}`
const DELETE_UNDER_ID = `DELETE FROM early_changes WHERE ${UNDER_ID}`

export function earlyChanges(database: Database): ChangeWrite[] {
  return selectAll(database, EARLY_CHANGES, "rowid").map(asWrite)
}

function asWrite({ conversation, author, id, digest, kind, time, text, at }: EarlyChange): ChangeWrite {
  const change = changeOf(kind, { by: author, time }, text)
  return { kind: "change", conversation, author, id, digest, change, at }
}

function textOf(change: ContentChange): string {
  if (change.kind === "edit") return change.text
  return change.kind === "reaction" ? change.emoji : ""
}

function changeOf(
  kind: ContentChange["kind"],
  rest: Pick<ContentChange, "by" | "time">,
  text: string,
): ContentChange {
  if (kind === "edit") return { kind, ...rest, text }
  return kind === "reaction" ? { kind, ...rest, emoji: text } : { kind, ...rest }
}

function isKnown(database: Database, { conversation, author, id }: TextName): boolean {
  const sql = `SELECT 1 FROM messages WHERE conversation = ?1 AND ${AUTHOR} = ?2 AND id = ?3
    UNION ALL SELECT 1 FROM known_ids WHERE conversation = ?1 AND author = ?2 AND id = ?3 LIMIT 1`
  return database.select(() => true, sql, conversation, author ?? WE, id).length > 0
}

const OF_MESSAGE = "conversation = ? AND author = ? AND id = ? AND digest = ?"

function isDeleted(database: Database, { conversation, author, id, digest }: TextName): boolean {
  const sql = `SELECT 1 FROM early_changes WHERE ${OF_MESSAGE} AND kind = 'delete'`
  return database.select(() => true, sql, conversation, author ?? WE, id, digest).length > 0
}

/** The deletion ends all of it. */
function forgetSaid(database: Database, { conversation, author, id, digest }: TextName): void {
  database.run(
    `DELETE FROM early_changes WHERE ${OF_MESSAGE} AND kind <> 'delete'`,
    conversation,
    author ?? WE,
    id,
    digest,
  )
}

/** The text itself may be here, and wait for those before it. */
function emptyHeld(database: Database, { author, id, digest }: TextName): void {
  database.run(
    `UPDATE held SET text = '' WHERE id = ? AND digest = ? AND device IN (SELECT id FROM devices WHERE contact = ?)`,
    id,
    digest,
    author ?? WE,
  )
}

/** Whether one of these messages was deleted before it came. */
export function isOneDeletedEarly(database: Database, names: readonly TextName[]): boolean {
  if (names.length === 0 || !isAnyEarly(database)) return false
  return names.some((name) => name.author !== null && isDeleted(database, name))
}

/** Mostly there is none, and then no message needs a look. */
function isAnyEarly(database: Database): boolean {
  return database.select(() => true, "SELECT 1 FROM early_changes LIMIT 1").length > 0
}

function forgetOld(database: Database, now: number): void {
  database.run("DELETE FROM early_changes WHERE at < ?", now - EARLY_MS)
}

/** The oldest go. */
function forgetOverflow(database: Database, author: number): void {
  const rows = database.select(
    (row) => ({ row: row.number(0), bytes: row.number(1) }),
    "SELECT rowid, LENGTH(CAST(text AS BLOB)) FROM early_changes WHERE author = ? ORDER BY rowid DESC",
    author,
  )
  let bytes = 0
  for (const [index, each] of rows.entries()) {
    bytes += each.bytes
    if (index >= EARLY_MAX || bytes > EARLY_BYTES_MAX)
      database.run("DELETE FROM early_changes WHERE rowid = ?", each.row)
  }
}
