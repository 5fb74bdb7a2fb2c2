import type { ContactId } from "../../store/records.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Outbox } from "./outbox.ts"
import type { Ports } from "../state/ports.ts"
import { hasUnsent, reencryptUnsent, unsentContacts } from "./reencrypt.ts"

/** Texts that a contact's old session left behind, sent again in the new one. */
export type Reencryption = {
  readonly start: (contact: ContactId) => void
  /** Goes on where something kept it from going on; resolves when they are in the outbox, or it cannot go on now. */
  readonly done: (contact: ContactId) => Promise<void>
}

export type ReencryptionSource = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly outbox: Outbox
  /** Takes over what nobody waits for. */
  readonly runDetached: (work: Promise<void>) => void
}

/** Starts at once what an earlier process left half sent. */
export function openReencryption({ ports, queue, outbox, runDetached }: ReencryptionSource): Reencryption {
  const working = new Map<ContactId, Promise<void>>()

  function start(contact: ContactId): void {
    const before = working.get(contact) ?? Promise.resolve()
    const work = before
      .then(() => reencryptUnsent(ports, queue, contact))
      .then(() => outbox.flush())
      .finally(() => {
        if (working.get(contact) === work) working.delete(contact)
      })
    working.set(contact, work)
    runDetached(work)
  }

  async function done(contact: ContactId): Promise<void> {
    if (!working.has(contact) && hasUnsent(queue.state(), contact)) start(contact)
    await Promise.allSettled([working.get(contact)])
  }

  for (const contact of unsentContacts(queue.state())) start(contact)
  return { start, done }
}
