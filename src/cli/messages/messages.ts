import type { ChatClient, Event, Message, Params } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { TEXT_MAX_BYTES } from "../../wire/frame.ts"
import { displayName, safe, type SafeText } from "../../wire/text.ts"
import type { Output } from "../terminal/output.ts"
import { MESSAGE_MARGIN } from "../terminal/ascii.ts"
import { messageRow } from "../terminal/format.ts"
import { shellCommand } from "../../shell-command.ts"

/** Events read at once. */
const EVENT_PAGE = 100
const INBOX_SCHEMA = "mqttchat/message/1"

export type Wait = Params<"send">["wait"]
export type ClientContext = { readonly client: ChatClient; readonly out: Output }
/** `owner`: whether this process has the profile open, or another one that goes on. */
export type SendContext = ClientContext & { readonly owner: "us" | "another" }

/** Which state to wait for, and how long. */
export type SendOptions = {
  readonly contact: string
  readonly text: string
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
  throw state === "queued" ? await queued(context) : notYetFault(options, state)
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
  const messages = await client.call("inbox", { markRead: false })
  await showUnseen({ client, out }, messages)
  if (messages.length === 0 && !out.json) out.info(safe`nothing new`)
}

/** Prints new messages, then each message as it comes, until stdout takes no more. */
export async function followInbox({ client, out }: ClientContext): Promise<void> {
  const seen = new Set<string>()
  let last = Promise.resolve()
  const show = async (): Promise<void> => {
    const messages = await client.call("inbox", { markRead: false })
    const fresh = messages.filter(({ contact, id }) => !seen.has(`${contact}/${id}`))
    for (const { contact, id } of fresh) seen.add(`${contact}/${id}`)
    await showUnseen({ client, out }, fresh)
  }
  await new Promise<void>((resolve, reject) => {
    const next = (): void => void (last = last.then(show).catch(reject))
    client.listen(({ kind }) => (kind === "message" || kind === "connection" ? next() : undefined))
    void out.lost.then(() => last).then(resolve)
    next()
  })
}

/**
 * Prints each message of a contact since the event `since`, read or not, then each as it comes, until the command ends.
 * With JSON each has the number of its event, from which another process can continue.
 */
export async function followEvents({ client, out }: ClientContext, since: number): Promise<never> {
  let reached = since
  let last = Promise.resolve()
  const show = async (): Promise<void> => {
    for (;;) {
      const page = await client.call("events", { since: reached, limit: EVENT_PAGE })
      for (const event of page.events) if (event.kind === "message") await showEvent({ client, out }, event)
      if (page.number === reached) return
      reached = page.number
    }
  }
  return await new Promise<never>((_resolve, reject) => {
    const next = (): void => void (last = last.then(show).catch(reject))
    client.listen(({ kind }) => (kind === "message" || kind === "connection" ? next() : undefined))
    next()
  })
}

async function showEvent(
  { client, out }: ClientContext,
  { message, number }: Extract<Event, { kind: "message" }>,
): Promise<void> {
  if (message.mine) return
  if (out.json) out.record(INBOX_SCHEMA, { ...message, number })
  else out.prose(messageRow(message, Date.now()), MESSAGE_MARGIN)
  await out.flushed()
  await client.call("mark-read", { contact: message.contactId, upTo: message.seq })
}

/** One at a time: if stdout fails, it is known which messages were shown. */
async function showUnseen({ client, out }: ClientContext, messages: readonly Message[]): Promise<void> {
  const upTo = new Map<string, number>()
  for (const message of messages) {
    showMessage(out, message)
    if (!(await out.flushed())) break
    upTo.set(message.contact, message.seq)
  }
  for (const [contact, seq] of upTo) await client.call("mark-read", { contact: contact, upTo: seq })
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

/** The message is stored in any case; a refusal needs a person. */
async function queued({ client, owner }: SendContext): Promise<Fault> {
  const { connection, daemon } = await client.call("status", {})
  if (connection.kind === "stopped" && connection.code !== "unavailable")
    return new Fault(connection.code, `saved in the outbox, but ${connection.reason}`, connection.hint)
  const why = connection.kind === "online" ? "the broker has not taken it yet" : connection.reason
  const { when, hint } = WHEN_SENT[daemon ? "daemon" : owner]
  const advice = connection.kind === "none" ? connection.hint : hint
  return new Fault("queued", `saved in the outbox, goes out later: ${why}; ${when}`, advice)
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
