import { Fault } from "../../errors.ts"
import type { ContactId } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import { pendingReceipts, stepInput } from "../state/update.ts"
import { enqueueReceipts } from "./enqueue.ts"
import type { Ports } from "../state/ports.ts"

/** Receipts for messages that arrive together are sent together; a text sent meanwhile carries them. */
const COALESCE_MS = 5

/** Pause before the next try after the disk was full. */
const RETRY_MS = 1_000

/** Sends the receipts that are waiting on disk. */
export type Receipts = {
  readonly schedule: (contact: ContactId) => void
  /** Resolves when those scheduled so far are in the outbox, or the disk is full; no more are sent. */
  readonly finish: () => Promise<void>
}

/** Schedules at once the receipts that an earlier process left. */
export function openReceipts(ports: Ports, queue: CommitQueue): Receipts {
  const timers = new Map<ContactId, () => void>()

  async function send(contact: ContactId): Promise<void> {
    timers.get(contact)?.()
    timers.delete(contact)
    await queue.run((state) => {
      const decision = enqueueReceipts(state, contact, stepInput(ports))
      ports.reach("receipt-decided")
      return decision
    })
    ports.reach("receipt-committed")
  }

  async function sendOrRetry(contact: ContactId): Promise<void> {
    try {
      await send(contact)
    } catch (fault) {
      // They stay on disk until there is room.
      if (!(fault instanceof Fault)) throw fault
      arm(contact, RETRY_MS)
    }
  }

  function arm(contact: ContactId, ms: number): void {
    timers.set(
      contact,
      ports.after(ms, () => void sendOrRetry(contact)),
    )
  }

  function schedule(contact: ContactId): void {
    if (!timers.has(contact)) arm(contact, COALESCE_MS + randomDelay(contact))
  }

  /** A random delay hides from an observer that a receipt answers the frame before it. */
  function randomDelay(contact: ContactId): number {
    const max = queue.state().contacts.get(contact)?.receiptDelay ?? 0
    return max === 0 ? 0 : Buffer.from(ports.random(4)).readUInt32LE() % (max + 1)
  }

  async function finish(): Promise<void> {
    await Promise.all([...timers.keys()].map(sendOrRetry))
    for (const cancel of timers.values()) cancel()
  }

  for (const contact of waitingContacts(queue.state())) schedule(contact)
  return { schedule, finish }
}

function waitingContacts(state: EngineState): ContactId[] {
  return [...state.contacts.keys()].filter((contact) => pendingReceipts(state, contact).length > 0)
}
