import type { ChatClient, Event, Link, Message } from "../../chat/api.ts"
import { Fault } from "../../errors.ts"
import { display, displayName, joined, safe, type SafeText } from "../../wire/text.ts"
import { commandOf, type Said } from "./chat-line.ts"
import type { Context } from "../context.ts"
import { readStdinLines } from "../input.ts"
import { contactRow, grouped, messageRow } from "../rows.ts"
import { checkLength } from "./talk.ts"
import { openTeleprinter } from "./teleprinter.ts"

/** What fills a small window without pushing its beginning out. */
const SHOWN_ON_ENTRY = 20
/** A line from a pipe waits so long for the broker; a typed one is saved and goes out by itself. */
const PIPED_WAIT_MS = 10_000

export type ChatWish = { readonly contact: string; readonly plain: boolean }

/** Line by line: what was said before, then what is said on either side, until the input ends. */
export async function chat(context: Context, client: ChatClient, wish: ChatWish): Promise<void> {
  const contact = await nameOf(client, wish.contact)
  const typing = process.stdin.isTTY && process.stdout.isTTY
  await (typing ? chatAtTerminal : chatThroughPipe)(context, client, { ...wish, contact })
}

/** The name as it is stored, whatever case it was typed in. Faults `not-found`. */
async function nameOf(client: ChatClient, typed: string): Promise<string> {
  return (await client.call("verify", { contact: typed })).contact.name
}

async function chatAtTerminal(context: Context, client: ChatClient, wish: ChatWish): Promise<void> {
  const plain = wish.plain || context.env["TERM"] === "dumb"
  await new Promise<void>((resolve, reject) => {
    const room = new Room({ client, contact: wish.contact, print: (row) => paper.print(row) })
    let last: Promise<unknown> = Promise.resolve()
    const say = async (text: string): Promise<void> => {
      if ((await room.say(text, "disk")) === "quit") resolve()
    }
    const paper = openTeleprinter(plain, {
      onLine: (text) => void (last = last.then(() => say(text)).catch(reject)),
      onTyping: (typing) => room.typing(typing),
      onInterrupt: () => context.lifetime.end("SIGINT"),
      onEnd: () => void last.then(() => resolve()),
    })
    context.lifetime.defer(async () => {
      room.leave()
      paper.close()
      await last
    })
    room.enter().catch(reject)
  })
}

async function chatThroughPipe(context: Context, client: ChatClient, wish: ChatWish): Promise<void> {
  const room = new Room({ client, contact: wish.contact, print: context.out.data })
  context.lifetime.defer(() => room.leave())
  await room.enter()
  for await (const text of readStdinLines()) {
    if ((await room.say(text, "broker")) === "quit") return
  }
}

type Seat = {
  readonly client: ChatClient
  readonly contact: string
  readonly print: (row: SafeText) => void
}

/** A conversation on a screen. */
class Room {
  readonly #seat: Seat
  readonly #seen = new Set<string>()
  /** Texts of ours that are under way: who typed them need not be told. */
  readonly #typed: string[] = []
  /** Its receipt stands for those of all before it. */
  #lastOwn: string | undefined
  #leave: () => void = () => undefined

  constructor(seat: Seat) {
    this.#seat = seat
  }

  /** Shows the end of the conversation, and from then on what happens. */
  async enter(): Promise<void> {
    const { client, contact, print } = this.#seat
    const backlog: Event[] = []
    let hear = (event: Event): void => void backlog.push(event)
    this.#leave = client.listen((event) => hear(event))
    const { contact: found } = await client.call("verify", { contact })
    print(contactRow(found))
    await this.#showLatest()
    print(safe`info: /help lists what you can do here`)
    hear = (event) => this.#hear(event)
    backlog.forEach(hear)
  }

  leave(): void {
    this.#leave()
  }

  /** Whoever wants to know it is told that something is being written. */
  typing(typing: boolean): void {
    const { client, contact } = this.#seat
    this.#beside(client.call("typing", { contact, typing }))
  }

  async say(text: string, wait: "disk" | "broker"): Promise<"stay" | "quit"> {
    const said = commandOf(text)
    if (said.kind === "text") this.#typed.push(said.text)
    return say(this.#seat, said, wait)
  }

  #hear(event: Event): void {
    const { contact, print } = this.#seat
    if (event.event === "message" && event.message.contact === contact) {
      this.#show(event.message)
      return
    }
    if (event.event === "receipt" && event.id === this.#lastOwn) {
      if (event.state === "delivered" || event.state === "read") print(safe`info: ${display(event.state)}`)
    }
    // whoever held the profile may have ended and told nothing for a while
    if (event.event === "link") this.#beside(this.#showLatest())
    const text = infoOf(event, contact)
    if (text !== undefined) print(safe`info: ${text}`)
  }

  async #showLatest(): Promise<void> {
    const { client, contact } = this.#seat
    const latest = await client.call("history", { with: contact, limit: SHOWN_ON_ENTRY })
    for (const message of latest) this.#show(message)
  }

  #show(message: Message): void {
    const { client, contact, print } = this.#seat
    if (this.#seen.has(message.id)) return
    this.#seen.add(message.id)
    if (message.mine) {
      this.#lastOwn = message.id
      const typed = this.#typed.indexOf(message.text)
      if (typed === -1) print(messageRow(message, Date.now()))
      else this.#typed.splice(typed, 1)
      return
    }
    print(messageRow(message, Date.now()))
    this.#beside(client.call("shown", { with: contact, upTo: message.seq }))
  }

  /** What fails beside the conversation is told in it, and does not end it. */
  #beside(work: Promise<unknown>): void {
    work.catch((cause: unknown) => {
      if (!(cause instanceof Fault)) throw cause
      this.#seat.print(safe`info: ${display(cause.message)}`)
    })
  }
}

/** What happens elsewhere is told in one row; of receipts only that a message never arrived. */
function infoOf(event: Event, contact: string): SafeText | undefined {
  switch (event.event) {
    case "message":
      return safe`${displayName(event.message.contact)} wrote to you`
    case "receipt":
      return event.contact === contact ? receiptText(event.state) : undefined
    case "link":
      return linkText(event.link)
    case "paired":
      return safe`paired with ${displayName(event.contact.name)}`
    case "notice":
      return [null, contact].includes(event.contact) ? display(event.text) : undefined
    case "typing":
      return event.typing && event.contact === contact ? safe`${displayName(contact)} is writing` : undefined
    case "locked":
      return safe`the keys were locked, nothing is sent or received: mqttchat daemon unlock`
    case "unlocked":
      return safe`the keys are open again`
    case "pair-failed":
    case "dropped":
      return undefined
  }
}

function receiptText(state: Message["state"]): SafeText | undefined {
  return state === "given-up" ? safe`a message was NOT DELIVERED` : undefined
}

function linkText(link: Link): SafeText {
  return link.kind === "online" ? safe`connected` : safe`not connected: ${display(link.why)}`
}

async function say(seat: Seat, said: Said, wait: "disk" | "broker"): Promise<"stay" | "quit"> {
  const info = (text: SafeText): void => seat.print(safe`info: ${text}`)
  switch (said.kind) {
    case "nothing":
      return "stay"
    case "quit":
      return "quit"
    case "help":
      info(safe`/verify compare · /status broker and outbox · /quit leave · //x sends "/x"`)
      return "stay"
    case "unknown":
      info(safe`${display(said.text)} is no command: /help, or //… to send it as text`)
      return "stay"
    case "status":
      info(await statusText(seat))
      return "stay"
    case "verify":
      info(await verifyText(seat))
      return "stay"
    case "text":
      await sendLine(seat, said.text, wait)
      return "stay"
  }
}

/** A text that cannot be sent is no reason to leave the conversation. */
async function sendLine(
  { client, contact, print }: Seat,
  text: string,
  wait: "disk" | "broker",
): Promise<void> {
  try {
    checkLength(text)
    const { state } = await client.call("send", { to: contact, text, wait, timeoutMs: PIPED_WAIT_MS })
    if (wait === "broker" && state === "queued") print(safe`info: saved, goes out later`)
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    print(safe`info: NOT SENT: ${display(cause.message)}`)
  }
}

async function statusText({ client }: Seat): Promise<SafeText> {
  const { link, broker, queued } = await client.call("status", {})
  const where = display(broker ?? "no broker")
  return safe`${where}, ${linkText(link)}, ${queued} queued`
}

async function verifyText({ client, contact }: Seat): Promise<SafeText> {
  const found = await client.call("verify", { contact })
  const numbers = joined(found.safetyNumber.map(display), " ")
  const words = joined(found.words.map(display), " ")
  const row = safe`words ${words} · safety number ${numbers} · key ${grouped(found.contact.fingerprint)}`
  return safe`${row}\ninfo: the same on both sides? then in another terminal: mqttchat verify ${displayName(contact)}`
}
