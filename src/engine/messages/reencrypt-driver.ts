import type { ContactId } from "../../store/records.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Events } from "../state/event-emitter.ts"
import { runDetached } from "../state/run-detached.ts"
import type { Ports } from "../state/ports.ts"
import { hasUnsent, reencryptUnsent, unsentContacts } from "./reencrypt.ts"

/** Sends the texts that a contact's old session left in its new one. */
export type Reencryption = {
  readonly start: (contact: ContactId) => void
  /** Continues after an interruption; resolves when the texts are in the outbox, or it cannot continue now. */
  readonly done: (contact: ContactId) => Promise<void>
}

/** Starts at once with the texts that an earlier process left. */
export function openReencryption(ports: Ports, queue: CommitQueue, events: Events): Reencryption {
  const working = new Map<ContactId, Promise<void>>()

  function start(contact: ContactId): void {
    const before = working.get(contact) ?? Promise.resolve()
    const work = before
      .then(() => reencryptUnsent(ports, queue, contact))
      .finally(() => {
        if (working.get(contact) === work) working.delete(contact)
      })
    working.set(contact, work)
    runDetached(events, work)
  }

  async function done(contact: ContactId): Promise<void> {
    if (!working.has(contact) && hasUnsent(queue.state(), contact)) start(contact)
    await Promise.allSettled([working.get(contact)])
  }

  for (const contact of unsentContacts(queue.state())) start(contact)
  return { start, done }
}
