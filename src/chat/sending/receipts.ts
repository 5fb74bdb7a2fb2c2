import { Fault } from "../../errors.ts"
import type { ContactId } from "../../store/records.ts"
import type { Book } from "../book.ts"
import type { Journal } from "../journal.ts"
import { receiptsKey } from "../draft.ts"
import { writeReceipts } from "./outbound.ts"
import type { Outbox } from "./outbox.ts"
import type { Ports } from "../ports.ts"

/** Receipts for messages that come together leave together; a text that leaves meanwhile takes them along. */
const COALESCE_MS = 5

/** The disk is full: there is no hurry to find it full again. */
const REST_MS = 1_000

/** Sends the receipts that wait on disk. */
export type Receipts = {
  readonly schedule: (contact: ContactId) => void
  /** Resolves when those scheduled so far are in the outbox, or the disk is full; nothing follows. */
  readonly finish: () => Promise<void>
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

  async function sendOrRest(contact: ContactId): Promise<void> {
    try {
      await send(contact)
    } catch (fault) {
      // They are still on disk, and wait there for room.
      if (!(fault instanceof Fault)) throw fault
      arm(contact, REST_MS)
    }
  }

  function arm(contact: ContactId, ms: number): void {
    timers.set(
      contact,
      ports.after(ms, () => void sendOrRest(contact)),
    )
  }

  function schedule(contact: ContactId): void {
    if (!timers.has(contact)) arm(contact, COALESCE_MS + someTime(contact))
  }

  /** Who waits a random time hides from an observer that a receipt answers the frame before it. */
  function someTime(contact: ContactId): number {
    const most = journal.book().contacts.get(contact)?.receiptDelay ?? 0
    return most === 0 ? 0 : Buffer.from(ports.random(4)).readUInt32LE() % (most + 1)
  }

  async function finish(): Promise<void> {
    await Promise.all([...timers.keys()].map(sendOrRest))
    for (const cancel of timers.values()) cancel()
  }

  for (const contact of waitingContacts(journal.book())) schedule(contact)
  return { schedule, finish }
}

function waitingContacts(book: Book): ContactId[] {
  return [...book.contacts.keys()].filter(
    (contact) => (book.settings.get(receiptsKey(contact))?.length ?? 0) > 0,
  )
}
