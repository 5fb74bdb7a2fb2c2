import { Fault } from "../../errors.ts"
import type { ContactId, ContactState } from "../../store/records.ts"
import type { Inbox } from "../../wire/topics.ts"
import { momentOf } from "../receiving/arrivals.ts"
import type { Book } from "../book.ts"
import { findContactById } from "../contacts/contacts.ts"
import { noChange, type Decision } from "../decision.ts"
import type { Started } from "./handshakes.ts"
import type { Journal } from "../journal.ts"
import type { Ports } from "../ports.ts"
import { mayRecover, noteRecovery, startRecovery } from "./recovery.ts"

/** One frame that fits nothing can come from anywhere; of the third in a row the state is to blame. */
const STRANGE_MAX = 3

/** Makes connections anew whose state was lost or rolled back, here or there. */
export type Recoveries = {
  /** Whether what came from a contact fitted the session. Resolves when it is on disk, with what follows from it. */
  readonly onFitting: (contact: ContactId, fits: boolean) => Promise<void>
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
  /** Nothing of theirs is left to begin with, which is said once. */
  const hopeless = new Set<ContactId>()

  function start(book: Book, id: ContactId): Decision<Started> {
    const contact = findContactById(book, id)
    const inbox = source.inboxAt(contact.mailbox)
    const self = { identity: ports.identity, name: ports.name }
    return startRecovery(book, self, { contact, inbox }, momentOf(ports))
  }

  function begun(id: ContactId): void {
    ports.reach("recovery-committed")
    source.onBegun(id)
  }

  async function begin(id: ContactId): Promise<void> {
    await journal.run((book) => start(book, id))
    begun(id)
  }

  async function beginByItself(id: ContactId): Promise<void> {
    const now = ports.now()
    try {
      const may = await journal.run((book) => {
        if (!mayRecover(book, id, now)) return noChange(false)
        const { commit, tell } = start(book, id)
        return { commit: [noteRecovery(book, id, now), ...commit], tell, result: true }
      })
      if (may) begun(id)
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

  /** On disk, for whoever looks in but briefly sees one at a time. */
  async function note(id: ContactId, fits: boolean): Promise<void> {
    try {
      const strange = await journal.run((book) => countStrange(book, id, fits))
      const state = journal.book().contacts.get(id)?.state
      if (strange === STRANGE_MAX && hasSession(state)) await beginByItself(id)
    } catch (fault) {
      // The disk is full; it was not the last that comes.
      if (!(fault instanceof Fault)) throw fault
    }
  }

  return {
    onFitting: async (contact, fits) => {
      if (!fits || strangeFrom(journal.book(), contact) > 0) await note(contact, fits)
    },
    begin,
    beginRestored: () => restored(journal.book()).forEach((id) => void beginFirst(id)),
  }
}

function restored({ contacts, sessions }: Book): ContactId[] {
  const all = [...contacts.values()]
  return all
    .filter(({ id, state, blocked }) => state === "recovering" && !blocked && !sessions.has(id))
    .map(({ id }) => id)
}

/** How many frames in a row fitted nothing, one byte. */
export function strangeKey(contact: ContactId): string {
  return `strange/${contact}`
}

function strangeFrom(book: Book, contact: ContactId): number {
  return book.settings.get(strangeKey(contact))?.[0] ?? 0
}

/** The count begins anew when it has come to the most. */
function countStrange(book: Book, contact: ContactId, fits: boolean): Decision<number> {
  const strange = fits ? 0 : strangeFrom(book, contact) + 1
  const value = Uint8Array.of(strange % STRANGE_MAX)
  return {
    commit: [{ kind: "setting", key: strangeKey(contact), value }],
    tell: [],
    result: strange,
  }
}

/** Whoever has an INIT on its way waits for the answer instead. */
function hasSession(state: ContactState | undefined): boolean {
  return state === "established" || state === "unconfirmed"
}

function tooOften(): Fault {
  return new Fault("unavailable", "the connection breaks too often to be made anew by itself")
}
