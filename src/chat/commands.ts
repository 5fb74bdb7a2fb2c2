import { toHex } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import type { ContactRecord, MessageRecord } from "../store/records.ts"
import { formatAddresses } from "../wire/address.ts"
import { TEXT_MAX_BYTES } from "../wire/frame.ts"
import type { Command, Message, Params, Results } from "./api.ts"
import { momentOf } from "./receiving/arrivals.ts"
import type { Book } from "./book.ts"
import { findContact, isUncompared } from "./contacts/contacts.ts"
import { noChange, type Decision } from "./decision.ts"
import { writeText } from "./sending/outbound.ts"
import { describeMessage } from "./tidings.ts"
import { allUnsentTexts, leavesUnsent } from "./sending/unsent.ts"
import { refuseReplaced } from "./contacts/turned-away.ts"
import { reached } from "./waiting.ts"
import { nodesOf } from "./contacts/whereabouts.ts"
import type { Works } from "./works.ts"

/** A peer that takes nothing for so long is gone, or being flooded. */
const OUTBOX_MAX = 10_000
const OUTBOX_BYTES_MAX = 64 * 1024 * 1024

/** The answers to some of the commands. */
export type Handlers<Names extends Command = Command> = {
  readonly [Name in Names]: (params: Params<Name>) => Promise<Results[Name]>
}

/** What is said, and was said. */
export function conversationCommands(
  works: Works,
): Handlers<"status" | "send" | "history" | "search" | "inbox" | "shown"> {
  const { ports, journal, home, tidings } = works
  return {
    status: async () => {
      const known = ports.home.broker()
      return {
        name: ports.name,
        broker: known === undefined ? null : formatAddresses(nodesOf(known)),
        link: home.report(),
        ...(await countWaiting(works)),
        dropped: tidings.dropped(),
        locked: false,
      }
    },
    send: (params) => send(works, params),
    history: async ({ with: name, limit }) => {
      const { id } = findContact(journal.book(), name)
      return describeAll(journal.book(), await ports.store.history(id, limit))
    },
    search: async ({ words, limit }) => describeAll(journal.book(), await ports.store.search(words, limit)),
    inbox: async ({ take }) => {
      const unshown = await ports.store.unshown()
      if (take) await works.showing.mark(unshown)
      return describeAll(journal.book(), unshown)
    },
    shown: async ({ with: name, upTo }) => {
      const { id } = findContact(journal.book(), name)
      const unshown = await ports.store.unshown()
      await works.showing.mark(unshown.filter(({ contact, seq }) => contact === id && seq <= upTo))
      return null
    },
  }
}

async function countWaiting({ ports, journal }: Works): Promise<{ queued: number; undelivered: number }> {
  const unsent = await allUnsentTexts(ports, journal)
  const letters = [...journal.book().outgoing.values()].filter(({ carries }) => carries !== undefined)
  const queued = letters.filter(({ published }) => !published).length + unsent.length
  return { queued, undelivered: letters.length + unsent.length }
}

async function send(works: Works, params: Params<"send">): Promise<Results["send"]> {
  const { ports, outbox } = works
  checkText(params.text)
  // A handshake that comes in between leaves older texts, which go first.
  const mid = (await storeText(works, params)) ?? (await storeText(works, params))
  if (mid === undefined) throw notNow(params.to)
  ports.reach("send-committed")
  outbox.pump()
  const id = toHex(mid)
  if (params.wait === "disk") return { id, state: "queued" }
  return { id, state: await reached(works, { id, wait: params.wait, timeoutMs: params.timeoutMs }) }
}

/** Undefined while older texts wait to be sent again. */
async function storeText(works: Works, params: Params<"send">): Promise<Uint8Array | undefined> {
  const { ports, journal, resending } = works
  await resending.done(findContact(journal.book(), params.to).id)
  return journal.run((book) => {
    const decision = decideText(works, book, params)
    ports.reach("send-decided")
    return decision
  })
}

function decideText(
  works: Works,
  book: Book,
  { to, text }: Params<"send">,
): Decision<Uint8Array | undefined> {
  const contact = findContact(book, to)
  refuseReplaced(book)
  refuseSilent(contact)
  checkRoom(book, contact)
  if (leavesUnsent(book, contact.id)) return noChange(undefined)
  const { commit, tell, result } = writeText(book, contact.id, text, momentOf(works.ports))
  if (result.kind === "posted") return { commit, tell, result: result.mid }
  throw notNow(contact.name)
}

function notNow(name: string): Fault {
  return new Fault("unavailable", `${name} has to answer before more can be sent`, "try again later")
}

function refuseSilent(contact: ContactRecord): void {
  const { name, blocked, movedAt } = contact
  if (blocked) throw new Fault("refused", `${name} is blocked`, `mqttchat contacts unblock ${name}`)
  if (isUncompared(contact)) {
    const message = `not sent: ${name}'s key changed, and you have not compared the new one`
    throw new Fault("refused", message, `mqttchat verify ${name}`)
  }
  if (movedAt > 0) {
    const message = `not sent: ${name} talks with you on another device of yours now, which took the place of this one`
    throw new Fault("refused", message, `mqttchat reset ${name}, if you go on from here`)
  }
}

function checkText(text: string): void {
  const bytes = Buffer.byteLength(text, "utf8")
  if (text.trim() === "")
    throw new Fault("bad-data", "an empty message says nothing", "mqttchat send NAME TEXT")
  if (bytes <= TEXT_MAX_BYTES) return
  throw new Fault(
    "bad-data",
    `a message has at most ${TEXT_MAX_BYTES} bytes, this one has ${bytes}`,
    "send it in parts",
  )
}

function checkRoom(book: Book, contact: ContactRecord): void {
  const load = book.loads.get(contact.id)
  if (load === undefined || (load.letters < OUTBOX_MAX && load.bytes < OUTBOX_BYTES_MAX)) return
  throw new Fault("unavailable", `too many messages wait for ${contact.name} already`, "mqttchat outbox")
}

function describeAll(book: Book, records: readonly MessageRecord[]): Message[] {
  return records.flatMap((record) => describeMessage(book, record) ?? [])
}
