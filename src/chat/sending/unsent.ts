import { equal } from "../../crypto/bytes.ts"
import type { ContactId, MessageRecord } from "../../store/records.ts"
import { SHORT_MID_BYTES } from "../../wire/frame.ts"
import { momentOf } from "../receiving/arrivals.ts"
import { letterKey, type Book } from "../book.ts"
import { isSilent } from "../contacts/contacts.ts"
import { noChange, type Change, type Decision } from "../decision.ts"
import type { Moment } from "../draft.ts"
import { unsentKey } from "../handshakes/admitting.ts"
import type { Journal } from "../journal.ts"
import { rewriteText } from "./outbound.ts"
import type { Ports } from "../ports.ts"

/** Unacknowledged texts are the newest of a conversation, and an outbox holds no more. */
const UNSENT_MAX = 10_000

/**
 * After a contact got a new session: texts that the old one sealed and nobody acknowledged are sealed again, in the
 * same order and under their old ids. A crash in between, or a session that cannot go on, leaves the rest for later.
 */
export async function sendUnsent(ports: Ports, journal: Journal, contact: ContactId): Promise<void> {
  const session = unsentIn(journal.book(), contact)
  const messages = await ports.store.history(contact, UNSENT_MAX)
  for (const { mid } of messages.filter(isUnsent)) {
    // taken back or acknowledged, perhaps, while those before it were sealed
    const message = await ports.store.findMessage(contact, mid)
    if (message === undefined || !isUnsent(message)) continue
    const goesOn = await journal.run((book) =>
      isOver(book, contact, session) ? noChange(false) : sendAgain(book, message, momentOf(ports)),
    )
    if (!goesOn) return
  }
  await journal.run((book) => {
    if (isOver(book, contact, session)) return noChange(null)
    const nothing: Change = { kind: "setting", key: unsentKey(contact), value: new Uint8Array(0) }
    return { commit: [nothing], tell: [], result: null }
  })
}

/** Texts that wait for a session to carry them, oldest first: an earlier one did, or there is none yet. */
export async function unsentTexts(
  ports: Ports,
  journal: Journal,
  contact: ContactId,
): Promise<readonly MessageRecord[]> {
  const isRecovering = journal.book().contacts.get(contact)?.state === "recovering"
  if (!isRecovering && !leavesUnsent(journal.book(), contact)) return []
  const messages = await ports.store.history(contact, UNSENT_MAX)
  return messages.filter((message) => isUnsent(message) && !isCarried(journal.book(), message))
}

/** Those of all contacts. */
export async function allUnsentTexts(ports: Ports, journal: Journal): Promise<readonly MessageRecord[]> {
  const texts: MessageRecord[] = []
  for (const contact of journal.book().contacts.keys())
    texts.push(...(await unsentTexts(ports, journal, contact)))
  return texts
}

function isCarried(book: Book, { contact, mid }: MessageRecord): boolean {
  return book.carriers.has(letterKey(contact, mid.slice(0, SHORT_MID_BYTES)))
}

function unsentIn(book: Book, contact: ContactId): Uint8Array {
  return book.settings.get(unsentKey(contact)) ?? new Uint8Array(0)
}

/** Whether another handshake came meanwhile: then all of it begins again, from the first text. */
function isOver(book: Book, contact: ContactId, session: Uint8Array): boolean {
  return !equal(unsentIn(book, contact), session)
}

/** Contacts whose texts an earlier process left half sent. */
export function unsentContacts(book: Book): ContactId[] {
  return [...book.contacts.keys()].filter((contact) => leavesUnsent(book, contact))
}

/** Whether texts of an earlier session wait to be sent in the present one. */
export function leavesUnsent(book: Book, contact: ContactId): boolean {
  return unsentIn(book, contact).length > 0
}

function isUnsent({ mine, kind, state }: MessageRecord): boolean {
  return mine && kind === "text" && (state === "queued" || state === "broker")
}

/** Whether it is on its way, now or before. */
function sendAgain(book: Book, message: MessageRecord, moment: Moment): Decision<boolean> {
  const record = book.contacts.get(message.contact)
  if (record === undefined || isSilent(record)) return noChange(false)
  if (isCarried(book, message)) return noChange(true)
  const { commit, tell, result } = rewriteText(book, message, moment)
  return { commit, tell, result: result.kind === "posted" }
}
