import { equal, fromHex, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { ContactRecord, MessageRecord, OutgoingRecord } from "../../store/records.ts"
import { SHORT_MID_BYTES } from "../../wire/frame.ts"
import type { Results } from "../api.ts"
import { momentOf } from "../receiving/arrivals.ts"
import { letterKey, type Book } from "../book.ts"
import type { Handlers } from "../commands.ts"
import { findContact, findContactById } from "../contacts/contacts.ts"
import type { Decision } from "../decision.ts"
import { textState } from "./text-state.ts"
import { allUnsentTexts, unsentTexts } from "./unsent.ts"
import { takeBack } from "./withdrawal.ts"
import type { Works } from "../works.ts"

type Waiting = Results["outbox"][number]

/** What waits, and taking it back. */
export function outboxCommands(works: Works): Handlers<"outbox" | "cancel"> {
  const { ports, journal, outbox } = works
  return {
    outbox: async () => {
      const unsent = await allUnsentTexts(ports, journal)
      const rows = unsent.map((text) => describeUnsent(works, text))
      for (const letter of journal.book().outgoing.values()) {
        if (letter.carries !== undefined) rows.push(await describe(works, letter, letter.carries.mid))
      }
      return rows
    },
    cancel: async ({ contact: name, id }) => {
      const { id: contact } = findContact(journal.book(), name)
      const mid = fromHex(id)
      const unsent = await unsentTexts(ports, journal, contact)
      const hasNoLetter = unsent.some((text) => equal(text.mid, mid))
      await journal.run((book) => {
        const letter = findLetter(book, contact, mid)
        if (letter !== undefined) return takeBack(book, letter, "cancelled", momentOf(ports))
        if (hasNoLetter) return cancelled(contact, mid, ports.now())
        throw new Fault(
          "not-found",
          "no such message waits: it has arrived, or was taken back",
          "mqttchat outbox",
        )
      })
      outbox.pump()
      return null
    },
  }
}

async function describe(works: Works, letter: OutgoingRecord, mid: Uint8Array): Promise<Waiting> {
  const { ports, journal } = works
  const contact = findContactById(journal.book(), letter.contact)
  const message = await ports.store.findMessage(letter.contact, mid)
  const { published, attempts, dueAt, createdAt } = letter
  return {
    contact: contact.name,
    id: toHex(mid),
    text: message?.text ?? "",
    state: published ? "broker" : "queued",
    attempts,
    nextAt: dueAt,
    createdAt,
    why: whyItWaits(works, contact, published),
  }
}

/** Sealed anew as soon as the new session may speak. */
function describeUnsent(works: Works, { contact: id, mid, text, state, storedAt }: MessageRecord): Waiting {
  const contact = findContactById(works.journal.book(), id)
  return {
    contact: contact.name,
    id: toHex(mid),
    text,
    state,
    attempts: 0,
    nextAt: null,
    createdAt: storedAt,
    why: whyItWaits(works, contact, false),
  }
}

function whyItWaits(
  { home }: Works,
  { name, blocked, movedAt, state }: ContactRecord,
  published: boolean,
): string {
  const link = home.report()
  if (blocked) return `${name} is blocked`
  if (movedAt > 0) return `${name} talks with you on another device now`
  if (link.kind !== "online") return link.why
  if (state === "init-sent" || state === "recovering") return `${name} has not answered the handshake yet`
  return published
    ? `the broker has it; ${name} has not said that it arrived`
    : "it is on its way to the broker"
}

function findLetter(book: Book, contact: number, mid: Uint8Array): OutgoingRecord | undefined {
  const seq = book.carriers.get(letterKey(contact, mid.slice(0, SHORT_MID_BYTES)))
  return seq === undefined ? undefined : book.outgoing.get(seq)
}

function cancelled(contact: number, mid: Uint8Array, now: number): Decision<null> {
  const { change, told } = textState(contact, mid, "cancelled", now)
  return { commit: [change], tell: [told], result: null }
}
