import { toHex } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { fourWords } from "../pairing/words.ts"
import type { ContactId, ContactRecord, MessageRecord } from "../store/records.ts"
import { formatAddresses } from "../wire/address.ts"
import { TEXT_MAX_BYTES } from "../wire/frame.ts"
import { decodeIdentity, safetyNumber } from "../wire/identity.ts"
import { displayName } from "../wire/text.ts"
import type { Command, Contact, Message, Params, Results } from "./api.ts"
import { momentOf } from "./arrivals.ts"
import type { Book } from "./book.ts"
import { describeContact, findContact, freeName, queuedTexts } from "./contacts.ts"
import type { Change, Decision } from "./decision.ts"
import { unsentKey } from "./handshakes.ts"
import { receiptsKey, writeText } from "./outbound.ts"
import { seenKey } from "./seen.ts"
import { describeAlone, describeMessage } from "./tidings.ts"
import { nodesOf } from "./whereabouts.ts"
import type { Works } from "./works.ts"

/** A peer that takes nothing for so long is gone, or being flooded. */
const OUTBOX_MAX = 10_000
const OUTBOX_BYTES_MAX = 64 * 1024 * 1024

type Handlers<Names extends Command> = {
  readonly [Name in Names]: (works: Works, params: Params<Name>) => Promise<Results[Name]>
}

/** Everything one can ask about conversations and contacts; pairing has its own drivers. */
export const CONVERSATION_COMMANDS: Handlers<
  Exclude<Command, "catch-up" | "register" | "device-offer" | `pair-${string}`>
> = {
  status: ({ ports, journal, home, tidings }) => {
    const known = ports.home.broker()
    const broker = known === undefined ? null : formatAddresses(nodesOf(known))
    const letters = [...journal.book().outgoing.values()]
    const queued = letters.filter(({ kind, published }) => kind === "text" && !published).length
    return Promise.resolve({
      name: ports.name,
      broker,
      link: home.report(),
      queued,
      dropped: tidings.dropped(),
      locked: false,
    })
  },
  send,
  history: async ({ ports, journal }, { with: name, limit }) => {
    const { id } = findContact(journal.book(), name)
    return describeAll(journal.book(), await ports.store.history(id, limit))
  },
  search: async ({ ports, journal }, { words, limit }) =>
    describeAll(journal.book(), await ports.store.search(words, limit)),
  inbox: async ({ ports, journal }, { take }) => {
    const unshown = await ports.store.unshown()
    if (take) await journal.run(() => change(...markShown(unshown)))
    return describeAll(journal.book(), unshown)
  },
  shown: ({ journal }, { with: name, upTo }) =>
    journal.run((book) => change({ write: "shown", contact: findContact(book, name).id, upTo })),
  contacts: async ({ ports, journal }) => {
    const unshown = await ports.store.unshown()
    const book = journal.book()
    return [...book.contacts.values()].map((contact) =>
      describeContact(contact, counts(book, contact, unshown)),
    )
  },
  rename: (works, { contact, to }) => edit(works, contact, (record, book) => renamed(book, record, to)),
  block: async (works, { contact, blocked }) => {
    const described = await edit(works, contact, (record) => ({ ...record, blocked }))
    const { mailbox } = findContact(works.journal.book(), contact)
    if (blocked) works.mailboxes.close(mailbox)
    else works.mailboxes.openAll()
    works.outbox.pump()
    return described
  },
  forget: async ({ journal, mailboxes, outbox }, { contact }) => {
    const mailbox = await journal.run((book): Decision<Uint8Array> => {
      const record = findContact(book, contact)
      return { commit: forgetting(record.id), tell: [], result: record.mailbox }
    })
    mailboxes.close(mailbox)
    outbox.pump()
    return null
  },
  verify: ({ ports, journal }, { contact }) => {
    const book = journal.book()
    const record = findContact(book, contact)
    return Promise.resolve({
      contact: describeAlone(book, record),
      words: fourWords(record.sas),
      safetyNumber: safetyNumber(ports.identity.public, decodeIdentity(record.identity)),
    })
  },
  "mark-verified": (works, { contact, verified }) =>
    edit(works, contact, (record) => ({ ...record, verified })),
}

async function send(works: Works, params: Params<"send">): Promise<Results["send"]> {
  const { ports, journal, outbox } = works
  checkText(params.text)
  const { seq, mid } = await journal.run((book) => {
    const decision = decideText(works, book, params)
    ports.reach("send-decided")
    return decision
  })
  ports.reach("send-committed")
  outbox.pump()
  const id = toHex(mid)
  if (params.wait === "disk") return { id, state: "queued" }
  await Promise.race([outbox.acknowledged(seq), patience(works, params.timeoutMs)])
  return { id, state: journal.book().outgoing.get(seq)?.published === false ? "queued" : "broker" }
}

function decideText(
  works: Works,
  book: Book,
  { to, text }: Params<"send">,
): Decision<{ seq: number; mid: Uint8Array }> {
  const contact = findContact(book, to)
  if (contact.blocked) {
    throw new Fault("refused", `${contact.name} is blocked`, `mqttchat contacts unblock ${contact.name}`)
  }
  checkRoom(book, contact)
  const seq = book.nextOutgoing
  const { commit, tell, result } = writeText(book, contact.id, text, momentOf(works.ports))
  if (result.kind === "posted") return { commit, tell, result: { seq, mid: result.mid } }
  throw new Fault("unavailable", `${contact.name} has to answer before more can be sent`, "try again later")
}

function checkText(text: string): void {
  const bytes = Buffer.byteLength(text, "utf8")
  if (bytes === 0) throw new Fault("bad-data", "an empty message says nothing", "mqttchat send NAME TEXT")
  if (bytes <= TEXT_MAX_BYTES) return
  throw new Fault(
    "bad-data",
    `a message has at most ${TEXT_MAX_BYTES} bytes, this one has ${bytes}`,
    "send it in parts",
  )
}

function checkRoom(book: Book, contact: ContactRecord): void {
  let letters = 0
  let bytes = 0
  for (const letter of book.outgoing.values()) {
    if (letter.contact !== contact.id) continue
    letters++
    bytes += letter.wire.length
  }
  if (letters < OUTBOX_MAX && bytes < OUTBOX_BYTES_MAX) return
  throw new Fault("unavailable", `too many messages wait for ${contact.name} already`, "mqttchat contacts")
}

/** Waiting ends with the time, or as soon as a try to connect has failed. */
function patience({ ports, home, tidings }: Works, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const hopeless = () => !["online", "connecting"].includes(home.report().kind)
    const stopListening = tidings.listen(() => hopeless() && done())
    const cancel = ports.after(timeoutMs, done)
    function done(): void {
      cancel()
      stopListening()
      resolve()
    }
    if (hopeless()) done()
  })
}

function describeAll(book: Book, records: readonly MessageRecord[]): Message[] {
  return records.flatMap((record) => describeMessage(book, record) ?? [])
}

function markShown(unshown: readonly MessageRecord[]): Change[] {
  const newest = new Map(unshown.map(({ contact, seq }) => [contact, seq]))
  return [...newest].map(([contact, upTo]) => ({ write: "shown", contact, upTo }))
}

function counts(
  book: Book,
  { id }: ContactRecord,
  unshown: readonly MessageRecord[],
): { unread: number; queued: number } {
  return { unread: unshown.filter(({ contact }) => contact === id).length, queued: queuedTexts(book, id) }
}

async function edit(
  { journal }: Works,
  name: string,
  edited: (record: ContactRecord, book: Book) => ContactRecord,
): Promise<Contact> {
  return journal.run((book): Decision<Contact> => {
    const contact = edited(findContact(book, name), book)
    return { commit: [{ write: "contact", contact }], tell: [], result: describeAlone(book, contact) }
  })
}

function renamed(book: Book, record: ContactRecord, to: string): ContactRecord {
  const name = displayName(to).trim()
  if (name === "") throw new Fault("usage", "a name needs at least one visible character")
  if (freeName(book, name, record.id) !== name) {
    throw new Fault("exists", `another contact is called ${name} already`, "mqttchat contacts")
  }
  return { ...record, name }
}

function forgetting(id: ContactId): Change[] {
  const keys = [receiptsKey(id), seenKey(id), unsentKey(id)]
  const emptied = keys.map((key): Change => ({ write: "setting", key, value: new Uint8Array(0) }))
  return [...emptied, { write: "forget-contact", id }]
}

function change(...commit: Change[]): Decision<null> {
  return { commit, tell: [], result: null }
}
