import type { ContactId } from "../../store/records.ts"
import type { Journal } from "../journal.ts"
import type { Outbox } from "./outbox.ts"
import type { Ports } from "../ports.ts"
import { leavesUnsent, sendUnsent, unsentContacts } from "./unsent.ts"

/** Texts that a contact's old session left behind, sent again in the new one. */
export type Resending = {
  readonly start: (contact: ContactId) => void
  /** Goes on where something kept it from going on; resolves when they are in the outbox, or it cannot go on now. */
  readonly done: (contact: ContactId) => Promise<void>
}

export type ResendingSource = {
  readonly ports: Ports
  readonly journal: Journal
  readonly outbox: Outbox
  /** Takes over what nobody waits for. */
  readonly inBackground: (work: Promise<void>) => void
}

/** Starts at once what an earlier process left half sent. */
export function openResending({ ports, journal, outbox, inBackground }: ResendingSource): Resending {
  const working = new Map<ContactId, Promise<void>>()

  function start(contact: ContactId): void {
    const before = working.get(contact) ?? Promise.resolve()
    const work = before
      .then(() => sendUnsent(ports, journal, contact))
      .then(() => outbox.pump())
      .finally(() => {
        if (working.get(contact) === work) working.delete(contact)
      })
    working.set(contact, work)
    inBackground(work)
  }

  async function done(contact: ContactId): Promise<void> {
    if (!working.has(contact) && leavesUnsent(journal.book(), contact)) start(contact)
    await Promise.allSettled([working.get(contact)])
  }

  for (const contact of unsentContacts(journal.book())) start(contact)
  return { start, done }
}
