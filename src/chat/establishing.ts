import { concat, toHex, type RecoverySecret } from "../crypto/bytes.ts"
import { recoveryPsk } from "../session/handshake.ts"
import type { ContactId, ContactRecord, OpenBundleRecord } from "../store/records.ts"
import type { Book } from "./book.ts"
import { closing, readBundleSecrets } from "./bundles.ts"
import type { Change } from "./decision.ts"
import type { Draft } from "./draft.ts"
import { showLine } from "./lines.ts"
import { messageId } from "./message-id.ts"

const NOTHING = new Uint8Array(0)

/** INITs that were accepted from a contact while it is not confirmed: a repeated one must not begin the session again. */
export function initsKey(contact: ContactId): string {
  return `inits/${contact}`
}

/** Whether this very INIT of the contact was accepted before. */
export function wasAccepted(book: Book, contact: ContactId, init: Uint8Array): boolean {
  const accepted = toHex(book.settings.get(initsKey(contact)) ?? NOTHING)
  return accepted.includes(toHex(messageId(init)))
}

/** Whether it began the present session: what earlier ones began is over. */
export function wasAcceptedLast(book: Book, contact: ContactId, init: Uint8Array): boolean {
  const accepted = toHex(book.settings.get(initsKey(contact)) ?? NOTHING)
  return accepted.endsWith(toHex(messageId(init)))
}

export function rememberInit(book: Book, contact: ContactId, init: Uint8Array): Change {
  const key = initsKey(contact)
  const value = concat(book.settings.get(key) ?? NOTHING, messageId(init))
  return { write: "setting", key, value }
}

/** The secret of a handshake that a known contact has not answered yet; empty for none. */
export function nextSecretKey(contact: ContactId): string {
  return `next-secret/${contact}`
}

export function nextSecret(contact: ContactId, value: Uint8Array): Change {
  return { write: "setting", key: nextSecretKey(contact), value }
}

/** Their first message confirms whom we answered; the first of their second chain confirms who answered us [S-14]. */
export function confirm(book: Book, draft: Draft, newChain: boolean): void {
  const { contact } = draft
  if (!isConfirmed(contact, newChain)) return
  draft.contact = { ...contact, state: "established" }
  const secret = book.settings.get(nextSecretKey(contact.id)) ?? NOTHING
  if (secret.length > 0) {
    if (contact.state !== "unconfirmed") draft.contact = { ...draft.contact, recoverySecret: secret }
    draft.changes.push(nextSecret(contact.id, NOTHING))
  }
  for (const letter of book.outgoing.values()) {
    if (letter.contact === contact.id && letter.kind === "init") {
      draft.changes.push({ write: "outgoing-done", seq: letter.seq })
    }
  }
  draft.changes.push(...closing(formerBundles(book, draft.contact)))
  if (book.settings.has(initsKey(contact.id))) {
    draft.changes.push({ write: "setting", key: initsKey(contact.id), value: NOTHING })
  }
  if (contact.state === "recovering") showLine(draft, `the connection with ${contact.name} was made anew`)
}

function isConfirmed({ state }: ContactRecord, newChain: boolean): boolean {
  return state === "init-sent" || state === "recovering" || (state === "unconfirmed" && newChain)
}

/** Recovery bundles of sessions before this one. Until it is confirmed the peer may have to come back to one of them. */
function formerBundles(book: Book, { id, recoverySecret }: ContactRecord): OpenBundleRecord[] {
  return [...book.bundles.values()].filter((record) => {
    if (record.contact !== id) return false
    const { hash } = readBundleSecrets(record).open.bundle
    return toHex(record.psk) !== toHex(recoveryPsk(hash, recoverySecret as RecoverySecret))
  })
}
