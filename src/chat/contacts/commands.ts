import { Fault } from "../../errors.ts"
import { fourWords } from "../../pairing/words.ts"
import type { ContactId, ContactRecord, MessageRecord } from "../../store/records.ts"
import { decodeIdentity, safetyNumber } from "../../wire/identity.ts"
import { displayName } from "../../wire/text.ts"
import type { Contact, Params } from "../api.ts"
import { momentOf } from "../receiving/arrivals.ts"
import type { Book } from "../book.ts"
import type { Handlers } from "../commands.ts"
import { describeContact, findContact, freeName, queuedTexts } from "./contacts.ts"
import type { Change, Decision } from "../decision.ts"
import { draftFor, receiptsKey, settle } from "../draft.ts"
import { initsKey, nextSecretKey } from "../handshakes/establishing.ts"
import { formerKey } from "../handshakes/former.ts"
import { unsentKey } from "../handshakes/admitting.ts"
import { lineFor } from "../lines.ts"
import { orderChange, orderKey, readOrder } from "../receiving/order.ts"
import { post, timerOf, writePassing } from "../sending/outbound.ts"
import { strangeKey } from "../handshakes/recoveries.ts"
import { lostKey, recoveriesKey } from "../handshakes/recovery.ts"
import { seenKey } from "../receiving/seen.ts"
import { describeAlone } from "../tidings.ts"
import { setTimer } from "./timers.ts"
import type { Works } from "../works.ts"

type Names =
  | "contacts"
  | "rename"
  | "block"
  | "forget"
  | "verify"
  | "mark-verified"
  | "replace"
  | "reset"
  | "privacy"
  | "timer"
  | "typing"

/** Who one talks with, and how. */
export function contactCommands(works: Works): Handlers<Names> {
  const { ports, journal, mailboxes, outbox } = works
  return {
    contacts: async () => {
      const unshown = await ports.store.unshown()
      const book = journal.book()
      return [...book.contacts.values()].map((contact) =>
        describeContact(contact, counts(book, contact, unshown)),
      )
    },
    rename: ({ contact, to }) => edit(works, contact, (record, book) => renamed(book, record, to)),
    block: async ({ contact, blocked }) => {
      const described = await journal.run((book) => decideBlocking(book, contact, blocked))
      const { mailbox } = findContact(journal.book(), contact)
      if (blocked) mailboxes.close(mailbox)
      else {
        mailboxes.openAll()
        works.recoveries.beginRestored()
      }
      outbox.pump()
      return described
    },
    forget: async ({ contact }) => {
      const mailbox = await journal.run((book): Decision<Uint8Array> => {
        const record = findContact(book, contact)
        return { commit: forgetting(record.id), tell: [], result: record.mailbox }
      })
      mailboxes.close(mailbox)
      outbox.pump()
      return null
    },
    verify: ({ contact }) => {
      const book = journal.book()
      const record = findContact(book, contact)
      return Promise.resolve({
        contact: describeAlone(book, record),
        words: fourWords(record.sas),
        safetyNumber: safetyNumber(ports.identity.public, decodeIdentity(record.identity)),
      })
    },
    "mark-verified": async ({ contact, verified }) => {
      const described = await edit(works, contact, (record) => compared(record, verified))
      if (verified) works.resending.start(findContact(journal.book(), contact).id)
      return described
    },
    replace: (params) => replace(works, params),
    reset: async ({ contact }) => {
      await works.recoveries.begin(findContact(journal.book(), contact).id)
      return null
    },
    privacy: ({ contact, readReceipts, typing, receiptDelayMs }) =>
      edit(works, contact, (record) => ({ ...record, readReceipts, typing, receiptDelay: receiptDelayMs })),
    timer: async ({ contact, seconds }) => {
      const described = await journal.run((book) => decideTimer(works, book, contact, seconds))
      outbox.pump()
      return described
    },
    typing: async ({ contact, typing }) => {
      const { id, typing: mayTell, blocked } = findContact(journal.book(), contact)
      if (!mayTell || blocked) return null
      await journal.run((book) => writePassing(book, id, { kind: "typing", typing }, momentOf(ports)))
      outbox.pump()
      return null
    },
  }
}

function counts(
  book: Book,
  { id }: ContactRecord,
  unshown: readonly MessageRecord[],
): { unread: number; queued: number } {
  const unread = unshown.filter(({ contact, kind }) => contact === id && kind === "text").length
  return { unread, queued: queuedTexts(book, id) }
}

async function edit(
  { journal }: Works,
  name: string,
  edited: (record: ContactRecord, book: Book) => ContactRecord,
): Promise<Contact> {
  return journal.run((book): Decision<Contact> => {
    const contact = edited(findContact(book, name), book)
    return { commit: [{ kind: "contact", contact }], tell: [], result: describeAlone(book, contact) }
  })
}

function decideBlocking(book: Book, name: string, blocked: boolean): Decision<Contact> {
  const contact = { ...findContact(book, name), blocked }
  const commit: Change[] = [{ kind: "contact", contact }]
  if (!blocked) commit.push(orderChange(contact.id, { ...readOrder(book.settings, contact.id), anew: true }))
  return { commit, tell: [], result: describeAlone(book, contact) }
}

function renamed(book: Book, record: ContactRecord, to: string): ContactRecord {
  const name = displayName(to).trim()
  if (name === "") throw new Fault("usage", "a name needs at least one visible character")
  if (freeName(book, name, record.id) !== name) {
    throw new Fault("exists", `another contact is called ${name} already`, "mqttchat contacts")
  }
  return { ...record, name }
}

function compared(record: ContactRecord, verified: boolean): ContactRecord {
  return { ...record, verified, changedAt: verified ? 0 : record.changedAt }
}

/**
 * Somebody whose keys are new, after a loss or on another machine, takes over name and history of who he was before.
 * Nothing is sent to him until the new key was compared.
 */
async function replace(works: Works, params: Params<"replace">): Promise<Contact> {
  const { journal, mailboxes, outbox } = works
  const { mailbox, contact } = await journal.run((book) => decideReplacing(works, book, params))
  mailboxes.close(mailbox)
  outbox.pump()
  return contact
}

function decideReplacing(
  works: Works,
  book: Book,
  { contact, by }: Params<"replace">,
): Decision<{ mailbox: Uint8Array; contact: Contact }> {
  const [old, fresh] = [findContact(book, contact), findContact(book, by)]
  if (old.id === fresh.id) throw new Fault("usage", `${old.name} cannot take his own place`)
  const moment = momentOf(works.ports)
  const { timer, timerSetAt, readReceipts, typing, receiptDelay, name } = old
  const changed: ContactRecord = {
    ...fresh,
    ...{ timer, timerSetAt, readReceipts, typing, receiptDelay, name },
    verified: false,
    changedAt: moment.now,
  }
  const line = lineFor(fresh.id, `${name}'s key changed: compare it before you go on`, moment)
  const commit: Change[] = [
    { kind: "adopt-history", from: old.id, to: fresh.id },
    ...forgetting(old.id),
    { kind: "contact", contact: changed },
    { kind: "setting", key: unsentKey(fresh.id), value: Uint8Array.of(1) },
    line.change,
  ]
  return {
    commit,
    tell: [line.told],
    result: { mailbox: old.mailbox, contact: describeAlone(book, changed) },
  }
}

function decideTimer(works: Works, book: Book, name: string, seconds: number): Decision<Contact> {
  const contact = findContact(book, name)
  const draft = draftFor(book, contact.id, momentOf(works.ports))
  if (draft === undefined) throw new Fault("unavailable", `${name} has no session yet`, "mqttchat contacts")
  setTimer(draft, seconds)
  if (post(draft, { kind: "control", frames: [timerOf(draft.contact)] }).kind === "refused") {
    throw new Fault("unavailable", `${contact.name} has to answer first`, "try again later")
  }
  return settle(book, draft, describeAlone(book, draft.contact))
}

function forgetting(id: ContactId): Change[] {
  const handshakes = [initsKey, lostKey, nextSecretKey, recoveriesKey, strangeKey]
  const keyed = [receiptsKey, unsentKey, orderKey, formerKey, ...handshakes]
  const keys = [...keyed.map((key) => key(id)), seenKey(id, "owed"), seenKey(id, "passing")]
  const emptied = keys.map((key): Change => ({ kind: "setting", key, value: new Uint8Array(0) }))
  return [...emptied, { kind: "forget-contact", id }]
}
