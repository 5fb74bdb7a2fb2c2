import type { Database, Row, Value } from "./database.ts"
import { readPrevious, readReactions } from "./content.ts"
import { readSupersededKey, SELECT_SUPERSEDED_KEY } from "./superseded-keys.ts"
import { isOurs } from "./message-states.ts"
import type { IdPage, MessageCount, Page, ReceivedTexts, UnshownPage } from "./pages.ts"
import { AUTHOR, DEVICES_OF, DIRECT, WE } from "./names.ts"
import { HAS_REACTIONS, MESSAGES, RECIPIENTS } from "./tables.ts"
import type { MessageName, MessageRecord, Quoted, Recipient, StoredMessage } from "./message-records.ts"
import type { ContactId, ConversationId, DeviceId } from "./ids.ts"

/** Further words are ignored: each costs a lookup. */
const SEARCH_WORDS_MAX = 32

/** The table has a short name here, since the index of words also has a column `text`. */
const COLUMNS = [...MESSAGES.columns, ...HAS_REACTIONS.columns].map((column) => `m.${column}`)
const SELECT = `SELECT ${COLUMNS.join(", ")}, ${SELECT_SUPERSEDED_KEY}`

/** Before all messages, and after all. */
const FIRST_SEQ = 0
const LAST_SEQ = Number.MAX_SAFE_INTEGER
/** Before any clock. */
const ALWAYS = Number.MIN_SAFE_INTEGER
/** As SQLite reads a negative LIMIT. */
const NO_LIMIT = -1

/** Messages of a SELECT as above, with what other tables say of them. */
function select(database: Database, sql: string, ...values: readonly Value[]): StoredMessage[] {
  const found = database.select(readFound, sql, ...values)
  const recipients = recipientsOf(database, found.map(({ message }) => message).filter(isOurs))
  return found.map(({ message, hasReactions, supersededKey }) => ({
    supersededKey,
    previous: message.editedAt === null ? [] : readPrevious(database, message.seq),
    reactions: hasReactions ? readReactions(database, message.seq) : [],
    recipients: recipients.get(message.seq) ?? [],
    quoted: quotedIn(database, message),
    // Last: V8 copies an object slowly if a literal begins with it and then adds to it.
    ...message,
  }))
}

function readFound(row: Row) {
  return {
    message: MESSAGES.read(row),
    hasReactions: row.number(MESSAGES.columns.length) === 1,
    supersededKey: readSupersededKey(row, COLUMNS.length),
  }
}

const SELECT_QUOTED = `SELECT author, text, digest, deleted_at FROM messages
  WHERE conversation = ? AND id = ? AND kind = 'text' ORDER BY digest = ? DESC, seq LIMIT 1`

/** No two texts of one conversation share an id but by malice: then the digest tells which is meant. */
function quotedIn(database: Database, { conversation, replyTo }: MessageRecord): Quoted | undefined {
  if (replyTo === undefined) return undefined
  return database.select(readQuoted, SELECT_QUOTED, conversation, replyTo.id, replyTo.digest)[0]
}

function readQuoted(row: Row): Quoted {
  return {
    author: row.isNull(0) ? null : row.number(0),
    kind: "text",
    text: row.text(1),
    digest: row.bytes(2),
    deletedAt: row.isNull(3) ? null : row.number(3),
  }
}

export function knownText(
  database: Database,
  conversation: ConversationId,
  id: Uint8Array,
): Pick<MessageRecord, "author" | "digest"> | undefined {
  return database.select(
    (row) => ({ author: row.number(0) === WE ? null : row.number(0), digest: row.bytes(1) }),
    `SELECT ${AUTHOR}, digest FROM messages WHERE conversation = ?1 AND id = ?2 AND kind = 'text'
     UNION ALL SELECT author, digest FROM known_ids WHERE conversation = ?1 AND id = ?2 LIMIT 1`,
    conversation,
    id,
  )[0]
}

const SELECT_RECIPIENTS = `SELECT ${RECIPIENTS.columns.join(", ")} FROM recipients WHERE message`
const OF_ONE = `${SELECT_RECIPIENTS} = ? ORDER BY contact`
const OF_SEVERAL = `${SELECT_RECIPIENTS} IN (SELECT value FROM json_each(?)) ORDER BY message, contact`

function recipientsOf(database: Database, ours: readonly MessageRecord[]): Map<number, Recipient[]> {
  const found = new Map<number, Recipient[]>()
  const [first, ...others] = ours.map(({ seq }) => seq)
  if (first === undefined) return found
  const [sql, seqs] = others.length === 0 ? [OF_ONE, first] : [OF_SEVERAL, JSON.stringify([first, ...others])]
  for (const { message, ...recipient } of database.select(RECIPIENTS.read, sql, seqs)) {
    const sameMessage = found.get(message)
    if (sameMessage === undefined) found.set(message, [recipient])
    else sameMessage.push(recipient)
  }
  return found
}

/** Oldest first: the last ones of the range, or with `after` its first ones. */
export function messagesIn(database: Database, conversation: ConversationId, page: Page): StoredMessage[] {
  const { after = FIRST_SEQ, before = LAST_SEQ, since = ALWAYS, limit } = page
  const isForward = page.after !== undefined
  const found = select(
    database,
    `${SELECT} FROM messages m WHERE conversation = ? AND seq > ? AND seq < ? AND stored_at >= ?
     ORDER BY seq ${isForward ? "ASC" : "DESC"} LIMIT ?`,
    conversation,
    after,
    before,
    since,
    limit,
  )
  return isForward ? found : found.reverse()
}

export function messagesAfter(database: Database, after: number, limit: number): StoredMessage[] {
  return select(database, `${SELECT} FROM messages m WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit)
}

export function unshownMessages(database: Database, page: UnshownPage): StoredMessage[] {
  const { conversation, after = FIRST_SEQ, upTo = LAST_SEQ, limit = NO_LIMIT } = page
  const ofOne = conversation === undefined ? "" : "conversation = ? AND"
  const sql = `${SELECT} FROM messages m WHERE shown = 0 AND ${ofOne} seq > ? AND seq <= ? ORDER BY seq LIMIT ?`
  const range = [after, upTo, limit]
  return select(database, sql, ...(conversation === undefined ? range : [conversation, ...range]))
}

/** A text that its author has deleted is nothing to read. */
const UNREAD = "shown = 0 AND kind = 'text' AND deleted_at IS NULL"

export function countUnshown(database: Database, conversation?: ConversationId): number {
  const sql = `SELECT count(*) FROM messages WHERE ${UNREAD}`
  const found =
    conversation === undefined
      ? database.select((row) => row.number(0), sql)
      : database.select((row) => row.number(0), `${sql} AND conversation = ?`, conversation)
  return found[0] ?? 0
}

export function unshownCounts(database: Database): Map<ConversationId, number> {
  const sql = `SELECT conversation, count(*) FROM messages WHERE ${UNREAD} GROUP BY conversation`
  return new Map(database.select((row) => [row.number(0) as ConversationId, row.number(1)] as const, sql))
}

/** Newest first. All words must occur, each at least as a prefix of one in the text. */
export function findMessages(database: Database, words: string, page: Page): StoredMessage[] {
  const query = searchQuery(words)
  if (query === undefined) return []
  const { after = FIRST_SEQ, before = LAST_SEQ, limit } = page
  return select(
    database,
    `${SELECT} FROM words w JOIN messages m ON m.seq = w.rowid WHERE words MATCH ? AND w.rowid > ? AND w.rowid < ?
     ORDER BY w.rowid DESC LIMIT ?`,
    query,
    after,
    before,
    limit,
  )
}

const IN_DIRECT = `conversation = (${DIRECT})`

/** Their texts, shown and held back, the earlier ones of those that they edited, what waits for its message, and lines. */
const RECEIVED = `
  SELECT text FROM messages WHERE ${IN_DIRECT} AND (author IS NOT NULL OR kind = 'line')
  UNION ALL SELECT text FROM held WHERE device IN (${DEVICES_OF}) AND text IS NOT NULL
  UNION ALL SELECT e.text FROM earlier_texts e JOIN messages m ON m.seq = e.message WHERE m.author = ?1
  UNION ALL SELECT text FROM early_changes WHERE author = ?1`

/** When a frame of theirs changed the conversation, or a line was added to it. */
const RECEIVED_AT = `
  SELECT at FROM received_frames WHERE device IN (${DEVICES_OF})
  UNION ALL SELECT stored_at FROM messages WHERE ${IN_DIRECT} AND kind = 'line'`

export function receivedFrom(database: Database, contact: ContactId, since: number): ReceivedTexts {
  const sizes = `SELECT COALESCE(SUM(LENGTH(CAST(text AS BLOB))), 0) FROM (${RECEIVED})`
  const times = `SELECT at FROM (${RECEIVED_AT}) WHERE at > ?2 ORDER BY at`
  return {
    bytes: database.select((row) => row.number(0), sizes, contact)[0] ?? 0,
    times: database.select((row) => row.number(0), times, contact, since),
  }
}

export function hasFrame(database: Database, device: DeviceId, mid: Uint8Array): boolean {
  const sql = "SELECT 1 FROM received_frames WHERE device = ? AND mid = ?"
  return database.select(() => true, sql, device, mid).length > 0
}

export function findMessage(
  database: Database,
  { conversation, author, id }: MessageName,
): StoredMessage | undefined {
  const sql = `${SELECT} FROM messages m WHERE conversation = ? AND ${AUTHOR} = ? AND id = ?`
  return select(database, sql, conversation, author ?? WE, id)[0]
}

/** What names one of ours may also be the id of one of theirs: the first stored is meant. */
export function findMessageById(
  database: Database,
  conversation: ConversationId,
  id: Uint8Array,
): StoredMessage | undefined {
  const sql = `${SELECT} FROM messages m WHERE conversation = ? AND id = ? ORDER BY seq LIMIT 1`
  return select(database, sql, conversation, id)[0]
}

/** The index of conversation, author and id finds them; it has no order by id alone, so all its rows are read. */
export function messagesBetween(
  database: Database,
  first: Uint8Array,
  last: Uint8Array,
  { conversation, limit }: IdPage,
): StoredMessage[] {
  const ofOne = conversation === undefined ? "" : "conversation = ? AND"
  const seqs = `SELECT seq FROM messages INDEXED BY messages_by_id WHERE ${ofOne} id BETWEEN ? AND ? LIMIT ?`
  const range = [first, last, limit]
  const values = conversation === undefined ? range : [conversation, ...range]
  return select(database, `${SELECT} FROM messages m WHERE seq IN (${seqs})`, ...values)
}

export function countMessages(
  database: Database,
  conversation: ConversationId,
  from: number,
  upTo: number,
): MessageCount {
  const [found = { messages: 0, lastSeq: FIRST_SEQ }] = database.select(
    (row) => ({ messages: row.number(0), lastSeq: row.number(1) }),
    "SELECT count(*), coalesce(max(seq), 0) FROM messages WHERE conversation = ? AND seq BETWEEN ? AND ?",
    conversation,
    from,
    upTo,
  )
  return found
}

export function nextExpiry(database: Database): number | undefined {
  const sql = "SELECT expires_at FROM messages WHERE expires_at > 0 ORDER BY expires_at LIMIT 1"
  return database.select((row) => row.number(0), sql)[0]
}

/**
 * Each word as a quoted FTS5 string, in which only the quote is special, and as a prefix. Only words that
 * have a letter or digit: the others leave an empty phrase.
 */
function searchQuery(words: string): string | undefined {
  const searchable = words
    .split(/[\s\0]+/u)
    .filter((word) => /[\p{L}\p{N}]/u.test(word))
    .slice(0, SEARCH_WORDS_MAX)
  if (searchable.length === 0) return undefined
  return searchable.map((word) => `"${word.replaceAll('"', '""')}"*`).join(" AND ")
}
