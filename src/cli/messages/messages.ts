import type { ChatClient, Message, Params, Results } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { TEXT_MAX_BYTES } from "../../wire/frame.ts"
import { displayName, safe, type SafeText } from "../../wire/text.ts"
import type { Output } from "../terminal/output.ts"
import { MESSAGE_MARGIN } from "../terminal/ascii.ts"
import { messageRow } from "../terminal/message-row.ts"
import { shellCommand } from "../../shell-command.ts"

/** Even with the longest texts far below the largest answer. */
const MESSAGE_PAGE = 100
export const INBOX_SCHEMA = "mqttchat/message/1"

export type Wait = Params<"send">["wait"]
export type ClientContext = { readonly client: ChatClient; readonly out: Output }
/** `owner`: whether this process has the profile open, or another one that goes on. */
export type SendContext = ClientContext & { readonly owner: "us" | "another" }

/** Which state to wait for, and how long. */
export type SendOptions = {
  readonly contact: string
  readonly text: string
  /** The id of the message that it answers. */
  readonly replyTo?: string
  readonly wait: Wait
  readonly timeoutMs: number
}

/**
 * Stores and sends one message. Faults of the engine, `queued` if it is stored and has not reached the wanted state,
 * and `unavailable` if it was given up.
 */
export async function sendText(context: SendContext, options: SendOptions): Promise<void> {
  const { client, out } = context
  const { contact, text, wait } = options
  checkLength(text)
  const sent = await client.call("send", { ...options })
  if (out.json) out.report.record("mqttchat/sent/1", { contact, ...sent })
  const { state } = sent
  if (state === "given-up")
    throw new Fault(
      "unavailable",
      `${contact} never took it: NOT DELIVERED`,
      shellCommand`mqttchat history ${contact}`,
    )
  if (PROGRESS[state] >= PROGRESS[wait]) {
    out.done(DONE[wait](displayName(contact)))
    return
  }
  throw state === "queued"
    ? await savedForLater(context, { id: sent.id, kind: "text" })
    : notYetFault(options, state)
}

const PROGRESS = { queued: 0, broker: 1, delivered: 2, read: 3 } as const

const DONE: Record<Wait, (to: SafeText) => SafeText> = {
  queued: (to) => safe`saved for ${to}`,
  broker: (to) => safe`sent to ${to}`,
  delivered: (to) => safe`delivered to ${to}`,
  read: (to) => safe`read by ${to}`,
}

function notYetFault({ contact, timeoutMs }: SendOptions, state: "broker" | "delivered" | "read"): Fault {
  const waited = `after ${timeoutMs / 1000} s`
  const why =
    state === "broker"
      ? `on the broker, but ${contact} has not fetched it ${waited}: it stays in the outbox until then`
      : `delivered, but no read receipt ${waited}; ${contact} may not send any`
  return new Fault("queued", why, shellCommand`mqttchat history ${contact}`)
}

/** Prints new messages. They count as shown once stdout has taken them, not before. */
export async function showInbox({ client, out }: ClientContext): Promise<void> {
  const shown = await showUnread({ client, out })
  if (shown.length === 0 && !out.json) out.info(safe`nothing new`)
}

/** Prints the messages that are unread now, and gives them. */
export async function showUnread(context: ClientContext): Promise<readonly Message[]> {
  const { messages, marks } = await printUnread(context)
  for (const mark of marks) await context.client.call("mark-read", mark)
  return messages
}

type PrintedUnread = { readonly messages: readonly Message[]; readonly marks: readonly Params<"mark-read">[] }

/** As `showUnread`, but the caller marks them. One at a time: if stdout fails, it is known which were shown. */
export async function printUnread({ client, out }: ClientContext): Promise<PrintedUnread> {
  const messages = await unread(client)
  const upTo = new Map<number, number>()
  for (const message of messages) {
    showMessage(out, message)
    if (!(await out.flushed())) break
    upTo.set(message.contactId, message.seq)
  }
  return { messages, marks: [...upTo].map(([contact, seq]) => ({ contact, upTo: seq })) }
}

/** In one answer, so that what another reader marks as read meanwhile is not missing; in pages only if that is too long. */
export async function unread(client: ChatClient): Promise<readonly Message[]> {
  try {
    return await client.call("inbox", { markRead: false })
  } catch (cause) {
    if (!(cause instanceof Fault && cause.code === "usage")) throw cause
    return unreadByPage(client)
  }
}

async function unreadByPage(client: ChatClient): Promise<readonly Message[]> {
  const found: Message[] = []
  for (;;) {
    const after = found.at(-1)?.seq ?? 0
    const page = await client.call("inbox", { markRead: false, after, limit: MESSAGE_PAGE })
    if (page.length === 0) return found
    found.push(...page)
  }
}

function showMessage(out: Output, message: Message): void {
  if (out.json) out.record(INBOX_SCHEMA, message)
  else out.prose(messageRow(message, Date.now()), MESSAGE_MARGIN)
}

/** Checked here, before the text leaves this process. Fault `bad-data`. */
export function checkLength(text: string): void {
  const bytes = Buffer.byteLength(text)
  if (bytes <= TEXT_MAX_BYTES) return
  const message = `the text has ${bytes} bytes, and a message at most ${TEXT_MAX_BYTES}`
  throw new Fault("bad-data", message, "send it in parts")
}

type OutboxEntry = Results["outbox"][number]

/** What was written: a text, or a change of the message with this id. */
export type Written = Pick<OutboxEntry, "id" | "kind">

/** It is stored in any case; a refusal needs a person. */
export async function savedForLater({ client, owner }: SendContext, written: Written): Promise<Fault> {
  const { connection, daemon } = await client.call("status", {})
  if (connection.kind === "stopped" && connection.code !== "unavailable")
    return new Fault(connection.code, `saved in the outbox, but ${connection.reason}`, connection.hint)
  const why = connection.kind === "online" ? await whyQueued(client, written) : connection.reason
  const { when, hint } = WHEN_SENT[daemon ? "daemon" : owner]
  const advice = connection.kind === "none" ? connection.hint : hint
  return new Fault("queued", `saved in the outbox, goes out later: ${why}; ${when}`, advice)
}

/** The other side may have to answer first. */
async function whyQueued(client: ChatClient, written: Written): Promise<string> {
  return (await outboxEntryOf(client, written))?.reason ?? "the broker has not taken it yet"
}

/** Undefined once a device of the contact has it. */
export async function outboxEntryOf(
  client: ChatClient,
  { id, kind }: Written,
): Promise<OutboxEntry | undefined> {
  return (await client.call("outbox", {})).find((entry) => entry.id === id && entry.kind === kind)
}

/** Who sends what waits, and what to do. */
const WHEN_SENT = {
  daemon: { when: "the daemon sends it when the broker takes it", hint: "mqttchat outbox" },
  another: { when: "the command that has the profile open keeps trying", hint: "mqttchat outbox" },
  us: {
    when: "the next command that is online sends it",
    hint: "mqttchat daemon, which keeps trying (mqttchat daemon --service: at every start of this machine)",
  },
} as const
