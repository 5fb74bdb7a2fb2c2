import type { ContactId, MessageRecord } from "../store/records.ts"
import { SHORT_MID_BYTES } from "../wire/frame.ts"
import { momentOf } from "./arrivals.ts"
import { letterKey, type Book } from "./book.ts"
import type { Decision } from "./decision.ts"
import { unsentKey } from "./handshakes.ts"
import type { Journal } from "./journal.ts"
import { writeText, type Moment } from "./outbound.ts"
import type { Ports } from "./ports.ts"

/** Unacknowledged texts are the newest of a conversation, and an outbox holds no more. */
const UNSENT_MAX = 10_000

/**
 * After a contact was paired anew: texts that its old session sealed and nobody acknowledged are sent again as new
 * messages, and the old ones are marked as given up. A crash in between leaves the rest for the next start.
 */
export async function sendUnsent(ports: Ports, journal: Journal, contact: ContactId): Promise<void> {
  const messages = await ports.store.history(contact, UNSENT_MAX)
  for (const message of messages) {
    if (message.mine && (message.state === "queued" || message.state === "broker")) {
      await journal.run((book) => sendAgain(book, message, momentOf(ports)))
    }
  }
  await journal.run(() => ({
    commit: [{ write: "setting", key: unsentKey(contact), value: new Uint8Array(0) }],
    tell: [],
    result: null,
  }))
}

/** Contacts whose texts an earlier process left half sent. */
export function unsentContacts(book: Book): ContactId[] {
  return [...book.contacts.keys()].filter(
    (contact) => (book.settings.get(unsentKey(contact))?.length ?? 0) > 0,
  )
}

function sendAgain(book: Book, message: MessageRecord, moment: Moment): Decision<null> {
  const { contact, mid, text } = message
  const mid8 = mid.slice(0, SHORT_MID_BYTES)
  if (book.letters.has(letterKey(contact, mid8))) return { commit: [], tell: [], result: null }
  const written = writeText(book, contact, text, moment)
  return {
    commit: [...written.commit, { write: "message-state", contact, mid8, state: "given-up" }],
    tell: [...written.tell, { told: "receipt", contact, mid, state: "given-up" }],
    result: null,
  }
}
