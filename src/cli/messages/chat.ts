import { SerialQueue } from "../../async/serial-queue.ts"
import type { ChatClient, Conversation, Event, Message } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { display, safe, type SafeText } from "../../wire/text.ts"
import { type ChatContext, submit } from "./chat-commands.ts"
import { eventText } from "./chat-events.ts"
import { parseChatLine } from "./chat-line.ts"
import { asciiMargins, asciiMarks, MESSAGE_MARGIN } from "../terminal/ascii.ts"
import { columnsOf } from "../terminal/output.ts"
import { wrap } from "../terminal/wrap.ts"
import type { Context } from "../terminal/context.ts"
import { readStdinLines } from "../terminal/input.ts"
import { contactRow } from "../terminal/format.ts"
import { changeRow, messageRow } from "../terminal/message-row.ts"
import { DraftKeeper, ignoreFault, lineOf } from "./draft-keeper.ts"
import { EventReader, goneText, keyOf, lastEvent, MAY_HAVE_MORE } from "./follow.ts"
import { unread } from "./messages.ts"
import { type LineEditorEvents, openLineEditor } from "../terminal/line-editor.ts"
import { shellCommand } from "../../shell-command.ts"

/** Fits into a small window. */
const SHOWN_ON_ENTRY = 20

export type ChatOptions = { readonly contact: string; readonly plain: boolean }

/** Shows the latest messages, then new ones of both sides, until the input ends. */
export async function chat(context: Context, client: ChatClient, options: ChatOptions): Promise<void> {
  const contact = await nameOf(client, options.contact)
  const typing = process.stdin.isTTY && process.stdout.isTTY
  await (typing ? chatAtTerminal : chatThroughPipe)(context, client, { ...options, contact })
}

/** The name as it is stored; the typed one may differ in case. Faults `not-found`. */
async function nameOf(client: ChatClient, typed: string): Promise<string> {
  return (await client.call("verify", { contact: typed })).contact.name
}

async function chatAtTerminal(context: Context, client: ChatClient, options: ChatOptions): Promise<void> {
  const plain = options.plain || context.env["TERM"] === "dumb"
  const fit = (row: SafeText): SafeText => fitted(row, context.out.ascii)
  await new Promise<void>((resolve, reject) => {
    const view = new ChatView({
      client,
      contact: options.contact,
      print: (row, onTaken) => editor.print(fit(row), onTaken),
      advised: context.out.advised,
    })
    const drafts = new DraftKeeper(client, options.contact)
    let last: Promise<unknown> = Promise.resolve()
    const submit = async (text: string): Promise<void> => {
      const then = await drafts.sending(
        () => view.submit(text, "queued"),
        () => editor.typed(),
      )
      if (then === "quit") resolve()
      await drafts.save().catch(ignoreFault)
    }
    const events: LineEditorEvents = {
      onLine: (text) => void (last = last.then(() => submit(text)).catch(reject)),
      onTyping: (typing) => view.typing(typing),
      onEdit: (text) => drafts.edited(text),
      onInterrupt: () => context.lifetime.end("SIGINT"),
      onEnd: () => void last.then(() => resolve()),
    }
    const editor = openLineEditor(plain, events, context.out.ascii)
    context.lifetime.defer(async () => {
      const closed = view.close()
      stop()
      drafts.edited(editor.typed())
      editor.close()
      await last
      await closed
      await saveDraft(context, drafts)
    })
    const stop = client.listen(({ kind }) => {
      if (kind === "unlocked") void drafts.save().catch(ignoreFault)
    })
    view
      .open()
      .then((draft) => {
        if (draft === "" || editor.typed() !== "") return
        drafts.offered(draft)
        editor.offer(lineOf(draft))
      })
      .catch(reject)
  })
}

/** The chat is over: a draft that cannot be kept is only told of. */
async function saveDraft({ out }: Context, drafts: DraftKeeper): Promise<void> {
  try {
    await drafts.save()
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    out.warn(safe`what you had typed is not kept: ${display(cause.message)}`)
  }
}

/** A row for the terminal. What others wrote stays as it is. */
function fitted(row: SafeText, ascii: boolean): SafeText {
  const wrapped = wrap(row, columnsOf(process.stdout), MESSAGE_MARGIN)
  if (!ascii) return wrapped
  return row.startsWith("info: ") ? asciiMarks(wrapped) : asciiMargins(wrapped)
}

async function chatThroughPipe(context: Context, client: ChatClient, options: ChatOptions): Promise<void> {
  const { out, lifetime } = context
  const print: ChatContext["print"] = (row, onTaken) => {
    out.data(row)
    if (onTaken !== undefined) void out.flushed().then((taken) => (taken ? onTaken() : undefined))
  }
  const view = new ChatView({ client, contact: options.contact, print, advised: out.advised })
  lifetime.defer(view.close)
  void out.lost.then(() => {
    lifetime.end("done")
    process.stdin.destroy()
  })
  await view.open()
  for await (const text of readStdinLines()) {
    if ((await view.submit(text, "broker")) === "quit") break
  }
  await out.flushed()
}

/** A conversation on a screen. */
export class ChatView {
  readonly #context: ChatContext
  readonly #seen = new Set<string>()
  /** Our texts that were typed here: their echo is not shown. */
  readonly #typed: string[] = []
  /** Only its receipt is shown: it implies those of all earlier messages. */
  #lastOwn: string | undefined
  /** By contact: unix ms. */
  readonly #mutedUntil = new Map<number, number>()
  #unsubscribe: () => void = () => undefined
  readonly #reading = new SerialQueue()
  #shownUpTo = 0
  #markedUpTo = 0
  #marking: Promise<void> = Promise.resolve()

  constructor(chatContext: ChatContext) {
    this.#context = chatContext
  }

  /** Shows the latest messages, then new events; gives the draft of the conversation. */
  async open(): Promise<string> {
    const { client, contact, print } = this.#context
    const backlog: Event[] = []
    let onEvent = (event: Event): void => void backlog.push(event)
    this.#unsubscribe = client.listen((event) => onEvent(event))
    const since = await lastEvent(client)
    const { contact: found } = await client.call("verify", { contact })
    const conversations = await client.call("conversations", {})
    for (const conversation of conversations) this.#noteMuting(conversation)
    const ours = conversations.find(({ contactId }) => contactId === found.id)
    print(contactRow(found, ours))
    await this.#showLatest()
    print(safe`info: /help lists what you can do here`)
    const reader = new EventReader(client, since, (event) => {
      if (event.message.contactId !== found.id) return
      if (event.kind === "message") this.#show(event.message)
      else print(changeRow(event, Date.now()))
    })
    onEvent = (event) => this.#receive(event, reader)
    backlog.forEach(onEvent)
    return ours?.draft ?? ""
  }

  #noteMuting({ contactId, muted, mutedUntil }: Conversation): void {
    if (muted) this.#mutedUntil.set(contactId, mutedUntil ?? Infinity)
    else this.#mutedUntil.delete(contactId)
  }

  #isMuted(contactId: number): boolean {
    return (this.#mutedUntil.get(contactId) ?? 0) > Date.now()
  }

  /** Resolves when all that was shown is marked, or cannot be. */
  readonly close = async (): Promise<void> => {
    this.#unsubscribe()
    await Promise.allSettled([this.#marking])
  }

  /** Tells the contact that you are typing, if you allow that. */
  typing(typing: boolean): void {
    const { client, contact } = this.#context
    this.#runDetached(client.call("typing", { contact, typing }))
  }

  async submit(text: string, wait: "queued" | "broker"): Promise<"stay" | "quit"> {
    const input = parseChatLine(text)
    if (input.kind === "text") this.#typed.push(input.text)
    const isShown = (message: Message): boolean => this.#seen.has(keyOf(message))
    return submit({ ...this.#context, isShown, wait }, input)
  }

  #receive(event: Event, reader: EventReader): void {
    const { contact, print, advised } = this.#context
    if (MAY_HAVE_MORE.has(event.kind)) this.#readNew(reader)
    if (event.kind === "conversation") this.#noteMuting(event.conversation)
    if (event.kind === "receipt" && event.id === this.#lastOwn) {
      if (event.state === "delivered" || event.state === "read") print(safe`info: ${display(event.state)}`)
    }
    const text = this.#isQuiet(event) ? undefined : eventText(event, contact)
    if (text !== undefined) print(safe`info: ${advised(text)}`)
  }

  /** A message of this conversation is shown itself, and one of a muted one interrupts nothing. */
  #isQuiet(event: Event): boolean {
    if (event.kind !== "message") return false
    return event.message.contact === this.#context.contact || this.#isMuted(event.message.contactId)
  }

  /** Also what came while the owner of the profile was another process, or none. */
  #readNew(reader: EventReader): void {
    const work = this.#reading.run(async () => {
      if ((await reader.readNew()) === "read") return
      const { contact, print, advised } = this.#context
      print(safe`info: ${goneText(advised(shellCommand`mqttchat history ${contact}`))}`)
      await this.#showLatest()
    })
    this.#runDetached(work)
  }

  /** The last ones, and all that are unread: to show a message marks those before it as read. */
  async #showLatest(): Promise<void> {
    const { client, contact } = this.#context
    const latest = await client.call("history", { contact: contact, limit: SHOWN_ON_ENTRY })
    const oldest = latest[0]?.seq ?? 0
    const earlier = (await unread(client)).filter(
      (message) => message.contact === contact && message.seq < oldest,
    )
    for (const message of [...earlier, ...latest]) this.#show(message)
  }

  #show(message: Message): void {
    const { print } = this.#context
    if (this.#seen.has(keyOf(message))) return
    this.#seen.add(keyOf(message))
    if (message.mine) {
      this.#lastOwn = message.id
      const typed = this.#typed.indexOf(message.text)
      if (typed === -1) print(messageRow(message, Date.now()))
      else this.#typed.splice(typed, 1)
      return
    }
    print(messageRow(message, Date.now()), () => this.#markShown(message.seq))
  }

  /** One request at a time, for all that was shown since the last. */
  #markShown(seq: number): void {
    const isMarking = this.#shownUpTo > this.#markedUpTo
    this.#shownUpTo = Math.max(this.#shownUpTo, seq)
    if (isMarking) return
    this.#marking = this.#markAll()
    this.#runDetached(this.#marking)
  }

  async #markAll(): Promise<void> {
    const { client, contact } = this.#context
    while (this.#shownUpTo > this.#markedUpTo) {
      const upTo = this.#shownUpTo
      await client.call("mark-read", { contact, upTo }).finally(() => (this.#markedUpTo = upTo))
    }
  }

  /** A failure in the background is shown in the conversation and does not end it. */
  #runDetached(work: Promise<unknown>): void {
    work.catch((cause: unknown) => {
      if (!(cause instanceof Fault)) throw cause
      this.#context.print(safe`info: ${display(cause.message)}`)
    })
  }
}
