import type { ChatClient, Message } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { shellCommand } from "../../shell-command.ts"
import { display, joined, safe, type SafeText } from "../../wire/text.ts"
import { groupDigits } from "../terminal/format.ts"
import { messageRow } from "../terminal/message-row.ts"
import type { Output } from "../terminal/output.ts"
import { connectionText } from "./chat-events.ts"
import type { ChatInput } from "./chat-line.ts"
import { findMessage } from "./find-message.ts"
import { rowWithId } from "./history.ts"
import { checkLength } from "./messages.ts"

/** How long a line from a pipe waits for the broker; a typed line is saved and goes out by itself. */
const PIPED_WAIT_MS = 10_000
/** How far back the last message that fits is looked for. */
const RECENT = 200
/** Fits into a small window. */
const IDS_SHOWN = 10

export type ChatContext = {
  readonly client: ChatClient
  readonly contact: string
  /** `onTaken` is called when the terminal or pipe has taken the row. */
  readonly print: (row: SafeText, onTaken?: () => void) => void
  readonly advised: Output["advised"]
}

export type ChatScreen = ChatContext & {
  /** Whether the message is on the screen: a command without an id means one that was seen. */
  readonly isShown: (message: Message) => boolean
  readonly wait: "queued" | "broker"
}

/** What is typed at a terminal is kept as a draft until it is sent; a line from a pipe never was one. */
function isFromDraft({ wait }: ChatScreen): boolean {
  return wait === "queued"
}

/** Does what a typed line asks for. What cannot be done is said in the conversation and does not end it. */
export async function submit(screen: ChatScreen, input: ChatInput): Promise<"stay" | "quit"> {
  const info = (text: SafeText): void => screen.print(safe`info: ${text}`)
  switch (input.kind) {
    case "quit":
      return "quit"
    case "nothing":
      break
    case "help":
      for (const row of HELP) info(row)
      break
    case "unknown":
      info(safe`${display(input.text)} is not a command: /help, or //… to send it as text`)
      break
    case "incomplete":
      info(safe`it is ${display(input.usage)}`)
      break
    case "status":
      info(await statusText(screen))
      break
    case "verify":
      info(await verifyText(screen))
      break
    case "ids":
      await showIds(screen)
      break
    case "text":
      await sendLine(screen, { text: input.text })
      break
    case "reply":
    case "edit":
    case "delete":
    case "react":
      await saying(screen, () => changeMessage(screen, input))
  }
  return "stay"
}

const HELP = [
  safe`/reply [ID] TEXT answer · /edit [ID] TEXT · /del [ID] · /react [ID] EMOJI · /ids of messages`,
  safe`without an ID: /reply and /react their last message, /edit and /del your last`,
  safe`/verify compare · /status broker and outbox · /quit leave · //x sends "/x"`,
] as const

type ChangeInput = Extract<ChatInput, { kind: "reply" | "edit" | "delete" | "react" }>

async function changeMessage(screen: ChatScreen, input: ChangeInput): Promise<void> {
  const { client, contact } = screen
  const isOurs = input.kind === "edit" || input.kind === "delete"
  const { id, mine } = await (input.id === undefined
    ? lastMessage(screen, isOurs)
    : findMessage(client, input.id, { contact, hint: NO_SUCH_ID }))
  switch (input.kind) {
    case "reply":
      return sendLine(screen, { text: input.text, replyTo: id })
    case "edit":
      checkLength(input.text)
      await client.call("edit", { contact, id, text: input.text, fromDraft: isFromDraft(screen) })
      return
    case "delete":
      await client.call("delete", { contact, id, forAll: mine })
      if (!mine) screen.print(safe`info: deleted here only: they wrote it`)
      return
    case "react":
      await client.call("react", { contact, id, emoji: input.emoji })
  }
}

const NO_SUCH_ID = "/ids shows them; a text that begins like an id: /reply -- TEXT"

/** The last text on the screen, theirs or ours. Fault `not-found`. */
async function lastMessage({ client, contact, isShown }: ChatScreen, isOurs: boolean): Promise<Message> {
  const recent = await client.call("history", { contact, limit: RECENT })
  const last = recent
    .reverse()
    .find((message) => message.mine === isOurs && isText(message) && isShown(message))
  if (last !== undefined) return last
  const whose = isOurs ? "yours" : "theirs"
  throw new Fault("not-found", `there is no message of ${whose} here`, "/ids, then the command with an ID")
}

function isText({ kind, deletedAt }: Message): boolean {
  return kind === "text" && deletedAt === null
}

async function showIds({ client, contact, print }: ChatScreen): Promise<void> {
  const recent = await client.call("history", { contact, limit: RECENT })
  const last = recent.filter(isText).slice(-IDS_SHOWN)
  for (const message of last) print(rowWithId(message, messageRow(message, Date.now())))
  if (last.length === 0) print(safe`info: there are no messages yet`)
}

/** The hints of the engine are commands for a shell. */
async function saying({ print }: ChatScreen, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    const hint = cause.hint?.startsWith("/") === true ? `: ${cause.hint}` : ""
    print(safe`info: ${display(`${cause.message}${hint}`)}`)
  }
}

/** A text that cannot be sent does not end the conversation. */
async function sendLine(
  screen: ChatScreen,
  message: { readonly text: string; readonly replyTo?: string },
): Promise<void> {
  const { client, contact, print, wait } = screen
  try {
    checkLength(message.text)
    const options = { fromDraft: isFromDraft(screen), wait, timeoutMs: PIPED_WAIT_MS }
    const { state } = await client.call("send", { contact, ...message, ...options })
    if (wait === "broker" && state === "queued")
      print(safe`info: saved, goes out when this profile is online again`)
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    // what was not answered may have been sent
    const verdict = cause.code === "unanswered" ? safe`` : safe`NOT SENT: `
    print(safe`info: ${verdict}${display(cause.message)}`)
  }
}

async function statusText({ client }: ChatContext): Promise<SafeText> {
  const { connection, broker, queued } = await client.call("status", {})
  const where = display(broker ?? "no broker")
  return safe`${where}, ${connectionText(connection)}, ${queued} queued`
}

async function verifyText({ client, contact, advised }: ChatContext): Promise<SafeText> {
  const found = await client.call("verify", { contact })
  const numbers = joined(found.safetyNumber.map(display), " ")
  const words = joined(found.words.map(display), " ")
  const row = safe`words ${words} · safety number ${numbers} · key ${groupDigits(found.contact.fingerprint)}`
  const advice = advised(shellCommand`mqttchat verify ${contact}`)
  return safe`${row}\ninfo: the same on both sides? then in another terminal: ${advice}`
}
