import { newContent, type Content, type Reaction } from "../content/content.ts"
import type { Version } from "../content/versions.ts"
import type { Database, Row } from "./database.ts"
import { AUTHOR, WE } from "./names.ts"
import { REACTIONS } from "./tables.ts"
import type { TextName } from "./message-records.ts"
import type { ContactId } from "./ids.ts"

/** The content of a message as it is on the disk. */
export type StoredContent = {
  readonly seq: number
  readonly content: Content
  /** The rows of the texts before the newest. */
  readonly rows: ReadonlyMap<Version, number>
}

type MessageTexts = {
  readonly seq: number
  readonly text: string
  readonly sentAt: number
  readonly editedAt: number | null
  readonly deletedAt: number | null
}

/** Of the message with this author, id and digest. */
export function findContent(database: Database, name: TextName): StoredContent | undefined {
  const message = findMessage(database, name)
  if (message === undefined) return undefined
  const { seq, deletedAt } = message
  const { first, edits, rows } = readVersions(database, message)
  const reactions = readReactions(database, seq)
  return { seq, content: { ...newContent(name.author, first), edits, deletedAt, reactions }, rows }
}

function findMessage(
  database: Database,
  { conversation, author, id, digest }: TextName,
): MessageTexts | undefined {
  return database.select(
    (row) => ({
      seq: row.number(0),
      text: row.text(1),
      sentAt: row.number(2),
      editedAt: numberOrNull(row, 3),
      deletedAt: numberOrNull(row, 4),
    }),
    `SELECT seq, text, sent_at, edited_at, deleted_at FROM messages
     WHERE conversation = ? AND ${AUTHOR} = ? AND id = ? AND digest = ? AND kind = 'text'`,
    conversation,
    author ?? WE,
    id,
    digest,
  )[0]
}

function numberOrNull(row: Row, at: number): number | null {
  return row.isNull(at) ? null : row.number(at)
}

type Versions = { first: Version; edits: Version[]; rows: Map<Version, number> }

function readVersions(database: Database, { seq, text, sentAt, editedAt }: MessageTexts): Versions {
  if (editedAt === null) return { first: { text, time: sentAt }, edits: [], rows: new Map() }
  const rows = new Map<Version, number>()
  const edits: Version[] = [{ text, time: editedAt }]
  let first: Version = { text: "", time: sentAt }
  for (const { version, isFirst, row } of readEarlier(database, seq)) {
    rows.set(version, row)
    if (isFirst) first = version
    else edits.push(version)
  }
  return { first, edits, rows }
}

/** Newest first. The order of TEXT is that of its UTF-8. */
function readEarlier(database: Database, seq: number) {
  return database.select(
    (row) => ({
      version: { text: row.text(0), time: row.number(1) },
      isFirst: row.number(2) === 1,
      row: row.number(3),
    }),
    `SELECT text, time, is_first, rowid FROM earlier_texts WHERE message = ? ORDER BY time DESC, text DESC`,
    seq,
  )
}

/** What a message said before it was edited, oldest first. */
export function readPrevious(database: Database, seq: number): Version[] {
  return database.select(
    (row) => ({ text: row.text(0), time: row.number(1) }),
    "SELECT text, time FROM earlier_texts WHERE message = ? ORDER BY is_first DESC, time, text",
    seq,
  )
}

/** Also those that were taken away. */
export function readReactions(database: Database, seq: number): Reaction[] {
  const sql = `SELECT ${REACTIONS.columns.join(", ")} FROM reactions WHERE message = ? ORDER BY time, person`
  return database
    .select(REACTIONS.read, sql, seq)
    .map(({ person, emoji, time }) => ({ by: personOf(person), emoji, time }))
}

/** On the disk 0 stands for the user of this profile. */
function personOf(person: number): ContactId | null {
  return person === WE ? null : person
}
