import { toHex } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { fourWords } from "../pairing/words.ts"
import type { ContactRecord, MessageRecord, Store } from "../store/records.ts"
import type { Contact, Event, Message } from "./api.ts"
import type { Book } from "./book.ts"
import { describeContact, isUncompared, queuedTexts } from "./contacts/contacts.ts"
import type { Told } from "./decision.ts"
import type { Paired } from "./ports.ts"

/** Carries what was committed to everybody who listens, in order. */
export type Tidings = {
  /** Resolves when everybody has heard it. */
  readonly tell: (told: readonly Told[]) => Promise<void>
  readonly event: (event: Event) => void
  readonly listen: (onEvent: (event: Event) => void) => () => void
  readonly dropped: () => number
}

export type TidingsSource = {
  readonly store: Store
  readonly book: () => Book
  readonly onWelcomed: (contact: ContactRecord, renamedFrom: string | null) => void
}

export function openTidings({ store, book, onWelcomed }: TidingsSource): Tidings {
  const listeners = new Set<(event: Event) => void>()
  let dropped = 0

  function event(said: Event): void {
    for (const listener of listeners) listener(said)
  }

  async function deliver(told: Told): Promise<void> {
    switch (told.told) {
      case "message": {
        const record = await store.findMessage(told.contact, told.mid)
        const message = record && describeMessage(book(), record)
        if (message !== undefined) event({ event: "message", message })
        return
      }
      case "receipt": {
        const contact = book().contacts.get(told.contact)?.name
        if (contact === undefined) return
        event({ event: "receipt", contact, id: toHex(told.mid), state: told.state })
        return
      }
      case "read": {
        const contact = book().contacts.get(told.contact)?.name
        const record = await store.findMessage(told.contact, told.mid8)
        if (contact === undefined || record?.mine !== true) return
        event({ event: "receipt", contact, id: toHex(record.mid), state: "read" })
        return
      }
      case "welcomed": {
        const contact = book().contacts.get(told.contact)
        if (contact !== undefined) onWelcomed(contact, told.renamedFrom)
        return
      }
      case "dropped":
        dropped++
        event({ event: "dropped", total: dropped })
        return
      case "event":
        event(told.event)
        return
    }
  }

  /** One message that cannot be read must not silence those after it. */
  async function deliverOrReport(told: Told): Promise<void> {
    try {
      await deliver(told)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      event({ event: "notice", contact: null, text: fault.message })
    }
  }

  return {
    tell: async (told) => {
      for (const each of told) await deliverOrReport(each)
    },
    event,
    listen: (onEvent) => {
      listeners.add(onEvent)
      return () => listeners.delete(onEvent)
    },
    dropped: () => dropped,
  }
}

/** Undefined when its contact was forgotten meanwhile. */
export function describeMessage(book: Book, record: MessageRecord): Message | undefined {
  const contact = book.contacts.get(record.contact)
  if (contact === undefined) return undefined
  const { seq, mine, kind, text, sentAt, storedAt, state, timer, expiresAt } = record
  return {
    id: toHex(record.mid),
    seq,
    contact: contact.name,
    mine,
    kind,
    text,
    sentAt,
    storedAt,
    state,
    trusted: mine || kind === "line" || !isUncompared(contact) || storedAt < contact.changedAt,
    timer,
    expiresAt: expiresAt === 0 ? null : expiresAt,
  }
}

/** A contact as it stands after a handshake: nothing of it has been read yet. */
export function describePaired(
  book: Book,
  contact: ContactRecord,
  met: { readonly known: boolean; readonly renamedFrom: string | null },
): Paired {
  return { contact: describeAlone(book, contact), words: fourWords(contact.sas), ...met }
}

export function describeAlone(book: Book, contact: ContactRecord): Contact {
  return describeContact(contact, { unread: 0, queued: queuedTexts(book, contact.id) })
}
