import type { ChatClient, Message } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { safe, type SafeText } from "../../wire/text.ts"
import { shellCommand } from "../../shell-command.ts"
import { MESSAGE_MARGIN } from "../terminal/ascii.ts"
import { messageRow, searchRow } from "../terminal/message-row.ts"
import type { Output } from "../terminal/output.ts"
import { findMessage, shortId } from "./find-message.ts"
import type { ClientContext } from "./messages.ts"

const MESSAGE_SCHEMA = "mqttchat/message/1"
/** Fits on a few screens. */
const SHOWN_BY_DEFAULT = 50
/** Messages that are read at once. */
const PAGE = 1_000

export type HistoryOptions = {
  /** Ids, or the beginnings of ids. */
  readonly before?: string
  readonly after?: string
  /** Unix ms. */
  readonly since?: number
  readonly limit?: number
} & Shown

export type SearchOptions = { readonly query: string; readonly limit?: number } & Shown

/** What else a row shows: the id, and what an edited message said before. */
type Shown = { readonly ids?: boolean; readonly edits?: boolean }

type Range = { readonly before?: number; readonly after?: number; readonly since?: number }

/**
 * Prints a conversation, oldest message first: the last ones, or with `after` or `since` all from there on. Where that is not
 * all it says where the rest begins. Faults `not-found`.
 */
export async function showHistory(
  { client, out }: ClientContext,
  contact: string,
  options: HistoryOptions,
): Promise<void> {
  const range = await rangeOf(client, contact, options)
  const isForward = range.after !== undefined
  let left = options.limit ?? (isForward ? Infinity : SHOWN_BY_DEFAULT)
  let next = range
  for (;;) {
    const limit = Math.min(left, isForward ? PAGE : left)
    const page = await client.call("history", { contact, ...next, limit })
    for (const message of page)
      showMessage(out, messageRow(message, Date.now(), options), { message, ...options })
    const last = page.at(-1)
    left -= page.length
    if (last === undefined || page.length < limit) return
    if (!isForward) {
      await hintEarlier({ client, out }, contact, page)
      return
    }
    next = { ...next, after: last.seq }
    if (left > 0) continue
    if (await hasMore(client, contact, next)) hintMore(out, contact, last)
    return
  }
}

async function rangeOf(
  client: ChatClient,
  contact: string,
  { before, after, since }: HistoryOptions,
): Promise<Range> {
  const isForward = after !== undefined || since !== undefined
  const first = after === undefined ? 0 : (await findMessage(client, after, { contact })).seq
  return {
    ...(isForward ? { after: first } : {}),
    ...(before === undefined ? {} : { before: (await findMessage(client, before, { contact })).seq }),
    ...(since === undefined ? {} : { since }),
  }
}

async function hasMore(client: ChatClient, contact: string, range: Range): Promise<boolean> {
  return (await client.call("history", { contact, ...range, limit: 1 })).length > 0
}

async function hintEarlier(
  { client, out }: Pick<ClientContext, "client" | "out">,
  contact: string,
  [first]: readonly Message[],
): Promise<void> {
  if (first === undefined) return
  const earlier = await client.call("history", { contact, before: first.seq, limit: 1 })
  if (earlier.length === 0) return
  out.next(safe`earlier: ${shellCommand`mqttchat history --before ${shortId(first.id)} ${contact}`}`)
}

function hintMore(out: Output, contact: string, { id }: Message): void {
  out.next(safe`more: ${shellCommand`mqttchat history --after ${shortId(id)} ${contact}`}`)
}

export async function showSearch(
  { client, out }: ClientContext,
  { query, limit = SHOWN_BY_DEFAULT, ...shown }: SearchOptions,
): Promise<void> {
  const found = await client.call("search", { query, limit })
  for (const message of found) showMessage(out, searchRow(message, Date.now(), shown), { message, ...shown })
  const last = found.at(-1)
  if (last !== undefined && found.length === limit) {
    const more = await client.call("search", { query, before: last.seq, limit: 1 })
    if (more.length > 0)
      out.next(safe`more: ${shellCommand`mqttchat search --limit ${String(2 * limit)} -- ${query}`}`)
  }
  if (found.length === 0)
    throw new Fault("not-found", "no message contains these words", "mqttchat history NAME")
}

function showMessage(
  out: Output,
  row: SafeText,
  { message, ids = false }: { readonly message: Message } & Shown,
): void {
  if (out.json) out.record(MESSAGE_SCHEMA, message)
  else out.prose(ids ? rowWithId(message, row) : row, MESSAGE_MARGIN)
}

export function rowWithId({ id }: Message, row: SafeText): SafeText {
  return safe`${shortId(id)}  ${row}`
}
