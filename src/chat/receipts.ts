import type { ContactId } from "../store/records.ts"
import type { Book } from "./book.ts"
import type { Journal } from "./journal.ts"
import { receiptsKey, writeReceipts } from "./outbound.ts"
import type { Outbox } from "./outbox.ts"
import type { Ports } from "./ports.ts"

/** Receipts for messages that come together leave together; a text that leaves meanwhile takes them along. */
const COALESCE_MS = 5

/** Sends the receipts that wait on disk. */
export type Receipts = {
  readonly schedule: (contact: ContactId) => void
  /** Resolves when those scheduled so far are in the outbox. */
  readonly flush: () => Promise<void>
}

/** Schedules at once what an earlier process left waiting. */
export function openReceipts(ports: Ports, journal: Journal, outbox: Outbox): Receipts {
  const timers = new Map<ContactId, () => void>()

  async function send(contact: ContactId): Promise<void> {
    timers.get(contact)?.()
    timers.delete(contact)
    const moment = { now: ports.now(), random: ports.random }
    await journal.run((book) => {
      const decision = writeReceipts(book, contact, moment)
      ports.reach("receipt-decided")
      return decision
    })
    ports.reach("receipt-committed")
    outbox.pump()
  }

  function schedule(contact: ContactId): void {
    if (timers.has(contact)) return
    timers.set(
      contact,
      ports.after(COALESCE_MS, () => void send(contact)),
    )
  }

  async function flush(): Promise<void> {
    await Promise.all([...timers.keys()].map(send))
  }

  for (const contact of waitingContacts(journal.book())) schedule(contact)
  return { schedule, flush }
}

function waitingContacts(book: Book): ContactId[] {
  return [...book.contacts.keys()].filter(
    (contact) => (book.settings.get(receiptsKey(contact))?.length ?? 0) > 0,
  )
}
