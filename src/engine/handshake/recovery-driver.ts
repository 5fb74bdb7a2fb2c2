import { Fault } from "../../errors.ts"
import type { ContactId, ContactState } from "../../store/records.ts"
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
import { stepInput } from "../state/update.ts"

/** One frame that fits nothing can come from anywhere; of the third in a row the state is to blame. */
const UNMATCHED_MAX = 3

/** Makes connections anew whose state was lost or rolled back, here or there. */
export type RecoveryDriver = {
  /** Whether what came from a contact fitted the session. Resolves when it is on disk, with what follows from it. */
  readonly onMatch: (contact: ContactId, matches: boolean) => Promise<void>
  /** At somebody's wish: as often as wished. Faults `not-found`, `config`. */
  readonly begin: (contact: ContactId) => Promise<void>
  /** Contacts of a backup have no session: each gets one, except those who are blocked, or with whom none can be made. */
  readonly beginRestored: () => void
}

export type RecoverySource = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly mailboxes: Mailboxes
  readonly events: Events
}

export function openRecoveryDriver({ ports, queue, mailboxes, events }: RecoverySource): RecoveryDriver {
  /** Nothing of theirs is left to begin with, which is said once. */
  const unrecoverable = new Set<ContactId>()

  function start(state: EngineState, id: ContactId): Decision<Started> {
    const contact = findContactById(state, id)
    const inbox = mailboxes.inboxAt(contact.mailbox)
    const self = { identity: ports.identity, name: ports.name }
    return startRecovery(state, self, { contact, inbox }, stepInput(ports))
  }

  function report(id: ContactId, { message }: Fault): void {
    const contact = queue.state().contacts.get(id)
    if (contact === undefined) return
    const { name } = contact
    const text = `what ${name} sends cannot be read: ${message}; mqttchat reset ${name}, or pair again: mqttchat pair`
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

  /** On disk, for whoever looks in but briefly sees one at a time. */
  async function countMatch(id: ContactId, matches: boolean): Promise<void> {
    try {
      const unmatched = await queue.run((state) => countUnmatched(state, id, matches))
      const state = queue.state().contacts.get(id)?.state
      if (unmatched === UNMATCHED_MAX && hasSession(state)) await beginAutomatically(id)
    } catch (fault) {
      // The disk is full; it was not the last that comes.
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
    .filter(({ id, state, blocked }) => state === "recovering" && !blocked && !sessions.has(id))
    .map(({ id }) => id)
}

/** The count begins again at 0 once it has come to the most. */
function countUnmatched(state: EngineState, contact: ContactId, matches: boolean): Decision<number> {
  const unmatched = matches ? 0 : unmatchedFrom(state, contact) + 1
  if (!state.contacts.has(contact)) return noChange(0)
  const change = recoveryChange(state, contact, { unmatched: unmatched % UNMATCHED_MAX })
  return { commit: [change], effects: [], result: unmatched }
}

/** Whoever has an INIT on its way waits for the answer instead. */
function hasSession(state: ContactState | undefined): boolean {
  return state === "established" || state === "unconfirmed"
}

function tooOften(): Fault {
  return new Fault("unavailable", "the connection breaks too often to be made anew by itself")
}
