import { fromHex, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { ContactRecord, OutgoingRecord } from "../../store/records.ts"
import { SHORT_MID_BYTES } from "../../wire/frame.ts"
import type { Link, Results } from "../api.ts"
import { momentOf } from "../receiving/arrivals.ts"
import { letterKey, type Book } from "../book.ts"
import type { Handlers } from "../commands.ts"
import { findContact, findContactById } from "../contacts/contacts.ts"
import { takeBack } from "./withdrawal.ts"
import type { Works } from "../works.ts"

type Waiting = Results["outbox"][number]

/** What waits, and taking it back. */
export function outboxCommands(works: Works): Handlers<"outbox" | "cancel"> {
  const { ports, journal, outbox } = works
  return {
    outbox: async () => {
      const rows: Waiting[] = []
      for (const letter of journal.book().outgoing.values()) {
        if (letter.carries !== undefined) rows.push(await describe(works, letter, letter.carries.mid))
      }
      return rows
    },
    cancel: async ({ contact: name, id }) => {
      const { id: contact } = findContact(journal.book(), name)
      await journal.run((book) => takeBack(book, findLetter(book, contact, id), "cancelled", momentOf(ports)))
      outbox.pump()
      return null
    },
  }
}

async function describe(
  { ports, journal, home }: Works,
  letter: OutgoingRecord,
  mid: Uint8Array,
): Promise<Waiting> {
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
    why: whyItWaits(contact, published, home.report()),
  }
}

function whyItWaits(
  { name, blocked, movedAt, state }: ContactRecord,
  published: boolean,
  link: Link,
): string {
  if (blocked) return `${name} is blocked`
  if (movedAt > 0) return `${name} talks with you on another device now`
  if (link.kind !== "online") return link.why
  if (state === "init-sent" || state === "recovering") return `${name} has not answered the handshake yet`
  return published
    ? `the broker has it; ${name} has not said that it arrived`
    : "it is on its way to the broker"
}

function findLetter(book: Book, contact: number, id: string): OutgoingRecord {
  const mid8 = fromHex(id).slice(0, SHORT_MID_BYTES)
  const seq = book.carriers.get(letterKey(contact, mid8))
  const letter = seq === undefined ? undefined : book.outgoing.get(seq)
  if (letter !== undefined) return letter
  throw new Fault("not-found", "no such message waits: it has arrived, or was taken back", "mqttchat outbox")
}
