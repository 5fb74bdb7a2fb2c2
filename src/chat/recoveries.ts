import { Fault } from "../errors.ts"
import type { ContactId, ContactState } from "../store/records.ts"
import type { Inbox } from "../wire/topics.ts"
import { momentOf } from "./arrivals.ts"
import { findContactById } from "./contacts.ts"
import type { Journal } from "./journal.ts"
import type { Ports } from "./ports.ts"
import { mayRecover, noteRecovery, startRecovery } from "./recovery.ts"

/** One frame that fits nothing can come from anywhere; of the third in a row the state is to blame. */
const STRANGE_MAX = 3

/** Makes connections anew whose state was lost or rolled back, here or there. */
export type Recoveries = {
  /** Whether what came from a contact fitted the session. */
  readonly onFitting: (contact: ContactId, fits: boolean) => void
  /** At somebody's wish: as often as wished. Faults `not-found`, `config`. */
  readonly begin: (contact: ContactId) => Promise<void>
  /** Contacts of a backup have no session: each gets one, except those who are blocked, or with whom none can be made. */
  readonly beginRestored: () => void
}

export type RecoveriesSource = {
  readonly ports: Ports
  readonly journal: Journal
  /** An inbox of ours at this mailbox. Fault `config` where there is no broker. */
  readonly inboxAt: (mailbox: Uint8Array) => Inbox
  readonly onBegun: (contact: ContactId) => void
  readonly onHopeless: (contact: ContactId, why: Fault) => void
}

export function openRecoveries(source: RecoveriesSource): Recoveries {
  const { ports, journal } = source
  const strange = new Map<ContactId, number>()
  /** Nothing of theirs is left to begin with, which is said once. */
  const hopeless = new Set<ContactId>()

  async function begin(id: ContactId): Promise<void> {
    await journal.run((book) => {
      const contact = findContactById(book, id)
      const inbox = source.inboxAt(contact.mailbox)
      const self = { identity: ports.identity, name: ports.name }
      return startRecovery(book, self, { contact, inbox }, momentOf(ports))
    })
    ports.reach("recovery-committed")
    source.onBegun(id)
  }

  async function beginByItself(id: ContactId): Promise<void> {
    const now = ports.now()
    try {
      const may = await journal.run((book) => {
        const allowed = mayRecover(book, id, now)
        return { commit: allowed ? [noteRecovery(book, id, now)] : [], tell: [], result: allowed }
      })
      if (may) await begin(id)
      else source.onHopeless(id, tooOften())
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      source.onHopeless(id, fault)
    }
  }

  async function beginFirst(id: ContactId): Promise<void> {
    try {
      await begin(id)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      if (!hopeless.has(id)) source.onHopeless(id, fault)
      hopeless.add(id)
    }
  }

  return {
    onFitting: (contact, fits) => {
      if (fits) {
        strange.delete(contact)
        return
      }
      const seen = (strange.get(contact) ?? 0) + 1
      strange.set(contact, seen % STRANGE_MAX)
      const state = journal.book().contacts.get(contact)?.state
      if (seen === STRANGE_MAX && hasSession(state)) void beginByItself(contact)
    },
    begin,
    beginRestored: () => {
      const { contacts, sessions } = journal.book()
      for (const { id, state, blocked } of contacts.values()) {
        if (state === "recovering" && !blocked && !sessions.has(id)) void beginFirst(id)
      }
    },
  }
}

/** Whoever has an INIT on its way waits for the answer instead. */
function hasSession(state: ContactState | undefined): boolean {
  return state === "established" || state === "unconfirmed"
}

function tooOften(): Fault {
  return new Fault("unavailable", "the connection breaks too often to be made anew by itself")
}
