import type { ChatClient, Event, Message, Params } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { safe, type SafeText } from "../../wire/text.ts"
import { MESSAGE_MARGIN } from "../terminal/ascii.ts"
import { type ChangedEvent, changeRow, messageRow } from "../terminal/message-row.ts"
import { type ClientContext, INBOX_SCHEMA, printUnread, showUnread } from "./messages.ts"

const CHANGED_SCHEMA = "mqttchat/changed/1"
/** Events read at once. */
const EVENT_PAGE = 100

/** A message, or what became of one. */
export type MessageEvent = Extract<Event, { kind: "message" | "changed" }>

/** Reads the events of a profile from a number on, for one reader: what others have read is no matter. */
export class EventReader {
  readonly #client: ChatClient
  readonly #onMessage: (event: MessageEvent) => void | Promise<void>
  #reached: number

  constructor(client: ChatClient, since: number, onMessage: (event: MessageEvent) => void | Promise<void>) {
    this.#client = client
    this.#reached = since
    this.#onMessage = onMessage
  }

  /** "gone" if the log no longer has all of them: it then goes on from the last event. */
  async readNew(): Promise<"read" | "gone"> {
    try {
      await this.#readPages()
      return "read"
    } catch (cause) {
      if (!(cause instanceof Fault && cause.code === "not-found")) throw cause
      this.#reached = await lastEvent(this.#client)
      return "gone"
    }
  }

  async #readPages(): Promise<void> {
    for (;;) {
      const since = this.#reached
      const page = await this.#client.call("events", { since, limit: EVENT_PAGE })
      for (const event of page.events) {
        if (event.kind !== "message" && event.kind !== "changed") continue
        // Before it is shown: if the rest of the page fails, it is not shown again.
        this.#reached = event.number
        await this.#onMessage(event)
      }
      this.#reached = page.number
      if (page.number === since) return
    }
  }
}

/** What a reader says when the log is "gone": what is shown then may not be all that came. `history` is the command. */
export function goneText(history: SafeText): SafeText {
  return safe`the event log no longer has all that was missed: ${history} shows it`
}

export async function lastEvent(client: ChatClient): Promise<number> {
  return (await client.call("events", { limit: 1 })).number
}

/** Prints the messages that are unread now, then each message as it comes, until stdout takes no more. */
export async function followInbox(context: ClientContext): Promise<void> {
  const since = await lastEvent(context.client)
  const unread = await showUnread(context)
  await follow(context, since, new Set(unread.map(keyOf)))
}

/**
 * Prints each message of a contact since the event `since`, read or not, then each as it comes, until stdout takes no
 * more. With JSON each has the number of its event, from which another process can continue. Fault `not-found` if the
 * log does not have the events after `since`.
 */
export async function followEvents(context: ClientContext, since: number): Promise<void> {
  await context.client.call("events", { since, limit: 1 })
  await follow(context, since, new Set())
}

/** `shown` are messages that came after `since` and were printed before. */
async function follow(context: ClientContext, since: number, shown: ReadonlySet<string>): Promise<void> {
  const { client, out } = context
  const follower = new Follower(context, since, shown)
  let waiting = 0
  const readNew = async (): Promise<void> => {
    waiting--
    try {
      await follower.readNew()
    } catch (cause) {
      // The next one goes on from there.
      if (waiting === 0 || !isOwnerLost(cause)) throw cause
    }
  }
  let last = Promise.resolve()
  await new Promise<void>((resolve, reject) => {
    const next = (): void => {
      waiting++
      last = last.then(readNew).catch(reject)
    }
    client.listen(({ kind }) => (MAY_HAVE_MORE.has(kind) ? next() : undefined))
    void out.lost.then(() => last).then(resolve)
    next()
  })
}

/** What we edited or deleted ourselves, in another process. Of a reaction it is not known whose it is. */
function isOwnChange({ change, message }: ChangedEvent): boolean {
  return message.mine && change !== "reaction"
}

/** After a connection event the owner may be another process; its events of that time are in the log. */
export const MAY_HAVE_MORE: ReadonlySet<Event["kind"]> = new Set([
  "message",
  "changed",
  "connection",
  "unlocked",
])

/** The owner ended while a request was under way. A connection event says so, too. */
function isOwnerLost(cause: unknown): boolean {
  return cause instanceof Fault && (cause.code === "unavailable" || cause.code === "unanswered")
}

/** Prints each message once, also when a request fails in between and the next owner is asked again. */
class Follower {
  readonly #context: ClientContext
  readonly #reader: EventReader
  readonly #shown: Set<string>
  /** What was printed and may not count as shown yet. */
  readonly #unmarked: Params<"mark-read">[] = []
  #isGone = false

  constructor(context: ClientContext, since: number, shown: ReadonlySet<string>) {
    this.#context = context
    this.#shown = new Set(shown)
    this.#reader = new EventReader(context.client, since, (event) => this.#show(event))
  }

  async readNew(): Promise<void> {
    await this.#mark()
    const { out } = this.#context
    if ((await this.#reader.readNew()) === "gone") {
      out.warn(goneText(out.advised(safe`mqttchat history NAME`)))
      this.#isGone = true
    }
    if (this.#isGone) await this.#showUnread()
  }

  async #showUnread(): Promise<void> {
    const { messages, marks } = await printUnread(this.#context)
    this.#isGone = false
    for (const message of messages) this.#shown.add(keyOf(message))
    this.#unmarked.push(...marks)
    await this.#mark()
  }

  async #show(event: MessageEvent): Promise<void> {
    if (event.kind === "message") await this.#showMessage(event)
    else await this.#showChange(event)
  }

  async #showChange(event: ChangedEvent): Promise<void> {
    const { out } = this.#context
    if (isOwnChange(event)) return
    if (out.json) out.record(CHANGED_SCHEMA, event)
    else out.prose(changeRow(event, Date.now()), MESSAGE_MARGIN)
    await out.flushed()
  }

  /** Only this message counts as shown: earlier ones may wait for another reader. */
  async #showMessage({ message, number }: Extract<MessageEvent, { kind: "message" }>): Promise<void> {
    if (message.mine || this.#shown.has(keyOf(message))) return
    const { out } = this.#context
    if (out.json) out.record(INBOX_SCHEMA, { ...message, number })
    else out.prose(messageRow(message, Date.now()), MESSAGE_MARGIN)
    if (!(await out.flushed())) return
    const { contactId: contact, seq } = message
    this.#unmarked.push({ contact, after: seq - 1, upTo: seq })
    await this.#mark()
  }

  async #mark(): Promise<void> {
    for (let mark = this.#unmarked[0]; mark !== undefined; mark = this.#unmarked[0]) {
      await this.#context.client.call("mark-read", mark)
      this.#unmarked.shift()
    }
  }
}

/** An author's ids are their own: two authors may have the same one. */
export function keyOf({ contactId, mine, id }: Message): string {
  return `${contactId}/${mine}/${id}`
}
