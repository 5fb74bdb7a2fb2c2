import { toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import { inboxTopic } from "../../wire/topics.ts"
import type { Book } from "../book.ts"
import type { Link } from "../line.ts"

/** Our subscriptions: one mailbox for each contact that is not blocked, and one for each offer. */
export type Mailboxes = {
  /** Subscribes to whatever is not yet; resolves when this mailbox has its SUBACK. */
  readonly open: (mailbox: Uint8Array) => Promise<void>
  readonly close: (mailbox: Uint8Array) => void
  /** A new link: all mailboxes of the book. */
  readonly openAll: () => void
  /** An INIT may leave only when its answer would arrive; who is blocked, or talks with us elsewhere, gets nothing. */
  readonly mayLeave: (letter: OutgoingRecord) => boolean
}

export type MailboxSource = {
  readonly book: () => Book
  readonly link: () => Link | undefined
  /** Bytes of our device id. */
  readonly device: () => Uint8Array | undefined
  readonly onOpen: () => void
  readonly onRefused: (why: Fault) => void
}

export function openMailboxes(source: MailboxSource): Mailboxes {
  const ready = new Set<string>()

  function topicOf(mailbox: Uint8Array): string | undefined {
    const device = source.device()
    return device === undefined ? undefined : inboxTopic({ device, mailbox })
  }

  async function open(mailbox: Uint8Array): Promise<void> {
    const topic = topicOf(mailbox)
    const link = source.link()
    if (topic === undefined || link === undefined || ready.has(toHex(mailbox))) return
    await link.subscribe(topic)
    ready.add(toHex(mailbox))
    source.onOpen()
  }

  async function openOrTell(mailbox: Uint8Array): Promise<void> {
    try {
      await open(mailbox)
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      if (fault.code !== "unavailable") source.onRefused(fault)
    }
  }

  return {
    open,
    close: (mailbox) => {
      const topic = topicOf(mailbox)
      if (!ready.delete(toHex(mailbox)) || topic === undefined) return
      void source.link()?.unsubscribe(topic)
    },
    openAll: () => {
      ready.clear()
      for (const mailbox of wanted(source.book())) void openOrTell(mailbox)
    },
    mayLeave: (letter) => {
      const contact = source.book().contacts.get(letter.contact)
      if (contact === undefined || contact.blocked || contact.movedAt > 0) return false
      return letter.kind !== "init" || ready.has(toHex(contact.mailbox))
    },
  }
}

/** Recovery bundles share their contact's mailbox. */
function wanted(book: Book): Uint8Array[] {
  const contacts = [...book.contacts.values()].filter(({ blocked }) => !blocked)
  const offers = [...book.bundles.values()].filter(({ contact }) => contact === null)
  return [...contacts, ...offers].map(({ mailbox }) => mailbox)
}
