import { toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import { inboxTopic } from "../../wire/topics.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { InboxConnection } from "./inbox-connection.ts"

/** Our subscriptions: one mailbox for each contact that is not blocked, and one for each offer. */
export type Mailboxes = {
  /** Subscribes to whatever is not yet; resolves when this mailbox has its SUBACK. */
  readonly open: (mailbox: Uint8Array) => Promise<void>
  readonly close: (mailbox: Uint8Array) => void
  /** A new link: all mailboxes of the book. */
  readonly openAll: () => void
  /** An INIT may leave only when its answer would arrive; who is blocked, or talks with us elsewhere, gets nothing. */
  readonly maySend: (entry: OutgoingRecord) => boolean
}

export type MailboxSource = {
  readonly state: () => EngineState
  readonly connection: () => InboxConnection | undefined
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
    const connection = source.connection()
    if (topic === undefined || connection === undefined || ready.has(toHex(mailbox))) return
    await connection.subscribe(topic)
    ready.add(toHex(mailbox))
    source.onOpen()
  }

  async function openOrReport(mailbox: Uint8Array): Promise<void> {
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
      void source.connection()?.unsubscribe(topic)
    },
    openAll: () => {
      ready.clear()
      for (const mailbox of wanted(source.state())) void openOrReport(mailbox)
    },
    maySend: (entry) => {
      const contact = source.state().contacts.get(entry.contact)
      if (contact === undefined || contact.blocked || contact.movedAt > 0) return false
      return entry.kind !== "init" || ready.has(toHex(contact.mailbox))
    },
  }
}

/** Recovery bundles share their contact's mailbox. */
function wanted(state: EngineState): Uint8Array[] {
  const contacts = [...state.contacts.values()].filter(({ blocked }) => !blocked)
  const offers = [...state.bundles.values()].filter(({ contact }) => contact === null)
  return [...contacts, ...offers].map(({ mailbox }) => mailbox)
}
