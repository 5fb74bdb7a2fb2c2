import { Fault } from "../../errors.ts"
import type { ContactId, ContactRecord } from "../../store/records.ts"
import type { Mailboxes } from "../connection/mailboxes.ts"
import type { EngineState } from "../state/engine-state.ts"
import { findContactById } from "../contacts/contacts.ts"
import { noChange, type Decision } from "../state/decision.ts"
import type { Started } from "./initiator.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Events } from "../state/event-emitter.ts"
import { notice } from "../state/events.ts"
import type { Ports } from "../state/ports.ts"
import { mayRecover, noteRecovery, recoveryChange, startRecovery, unmatchedFrom } from "./recovery-policy.ts"
import { sendableTo } from "../state/send-gate.ts"
import { stepInput } from "../state/update.ts"
import { shellCommand } from "../../shell-command.ts"

/** A single unmatched frame can come from anyone; three in a row mean that the state is lost. */
const UNMATCHED_MAX = 3

/** Recovers sessions whose state was lost or rolled back, on either side. */
export type RecoveryDriver = {
  /** Notes whether a contact's frame matched the session. Resolves when that is on disk, with its consequences. */
  readonly onMatch: (contact: ContactId, matches: boolean) => Promise<void>
  /** At the user's request, without a limit. Faults `not-found`, `config`. */
  readonly begin: (contact: ContactId) => Promise<void>
  /** Contacts of a backup have no session: each gets one, except those to which nothing may be sent, or that have no recovery bundle. */
  readonly beginRestored: () => void
}

export type RecoverySource = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly mailboxes: Mailboxes
  readonly events: Events
}

export function openRecoveryDriver({ ports, queue, mailboxes, events }: RecoverySource): RecoveryDriver {
  /** Contacts without a recovery bundle; the user is told once. */
  const unrecoverable = new Set<ContactId>()

  function start(state: EngineState, id: ContactId): Decision<Started> {
    const contact = findContactById(state, id)
    const inbox = mailboxes.inboxAt(contact.mailbox)
    const self = { identity: ports.identity, name: ports.name() }
    return startRecovery(state, self, { contact, inbox }, stepInput(ports))
  }

  function report(id: ContactId, { message }: Fault): void {
    const contact = queue.state().contacts.get(id)
    if (contact === undefined) return
    const { name } = contact
    const text = `what ${name} sends cannot be read: ${message}; ${shellCommand`mqttchat reset ${name}`}, or pair again: mqttchat pair`
    events.emit(notice(text, contact))
  }

  async function begin(id: ContactId): Promise<void> {
    await queue.run((state) => start(state, id))
    ports.reach("recovery-committed")
  }

  async function beginAutomatically(id: ContactId): Promise<void> {
    const now = ports.now()
    try {
      const isAllowed = await queue.run((state) => {
        if (!mayRecover(state, id, now)) return noChange(false)
        const { commit, effects } = start(state, id)
        return { commit: [noteRecovery(state, id, now), ...commit], effects, result: true }
      })
      if (isAllowed) ports.reach("recovery-committed")
      else report(id, tooOften())
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      report(id, fault)
    }
  }

  async function beginFirst(id: ContactId): Promise<void> {
    try {
      await begin(id)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      if (!unrecoverable.has(id)) report(id, fault)
      unrecoverable.add(id)
    }
  }

  /** Persisted, because short-lived processes see one frame each. */
  async function countMatch(id: ContactId, matches: boolean): Promise<void> {
    try {
      const unmatched = await queue.run((state) => countUnmatched(state, id, matches))
      const contact = queue.state().contacts.get(id)
      if (unmatched === UNMATCHED_MAX && mayBegin(contact)) await beginAutomatically(id)
    } catch (fault) {
      // The disk is full; the next frame tries again.
      if (!(fault instanceof Fault)) throw fault
    }
  }

  return {
    onMatch: async (contact, matches) => {
      if (!matches || unmatchedFrom(queue.state(), contact) > 0) await countMatch(contact, matches)
    },
    begin,
    beginRestored: () => restored(queue.state()).forEach((id) => void beginFirst(id)),
  }
}

function restored({ contacts, sessions }: EngineState): ContactId[] {
  const all = [...contacts.values()]
  return all
    .filter((contact) => contact.state === "recovering" && sendableTo(contact) === "everything")
    .filter(({ id }) => !sessions.has(id))
    .map(({ id }) => id)
}

/** The count restarts at 0 after it has reached the maximum. */
function countUnmatched(state: EngineState, contact: ContactId, matches: boolean): Decision<number> {
  const unmatched = matches ? 0 : unmatchedFrom(state, contact) + 1
  if (!state.contacts.has(contact)) return noChange(0)
  const change = recoveryChange(state, contact, { unmatched: unmatched % UNMATCHED_MAX })
  return { commit: [change], effects: [], result: unmatched }
}

/**
 * A contact whose INIT is on its way waits for the answer instead. Frames under a key that was not compared cause no INIT: a
 * person may begin one [D-42].
 */
function mayBegin(contact: ContactRecord | undefined): boolean {
  if (contact === undefined || sendableTo(contact) !== "everything") return false
  return contact.state === "established" || contact.state === "unconfirmed"
}

function tooOften(): Fault {
  return new Fault("unavailable", "the connection breaks too often to be renewed automatically")
}
