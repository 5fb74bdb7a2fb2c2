import { concat, toHex, type RecoverySecret } from "../../crypto/bytes.ts"
import { recoveryPsk } from "../../session/handshake.ts"
import type { ContactId, ContactRecord, OpenBundleRecord } from "../../store/records.ts"
import { encodeIdentity, type PublicIdentity } from "../../wire/identity.ts"
import type { Book } from "../book.ts"
import { closing, readBundleSecrets } from "./bundles.ts"
import { afterMessage } from "../contacts/state.ts"
import type { Change } from "../decision.ts"
import { seconds, type Draft } from "../draft.ts"
import { showLine } from "../lines.ts"
import { messageId, MESSAGE_ID_BYTES } from "../message-id.ts"

const NOTHING = new Uint8Array(0)
/** A backup, or a laptop that lay in a drawer, begins with a bundle of ours from before the last handshake. */
const FORMER_LIFE_S = 30 * 24 * 60 * 60
const FORMER_MAX = 8
/** Only the contact itself can make more of them than it has machines. */
const INITS_MAX = 64

/** The last INITs that were accepted from a contact: a repeated one must not begin the session again. */
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
  const all = concat(book.settings.get(key) ?? NOTHING, messageId(init))
  return { kind: "setting", key, value: all.slice(-INITS_MAX * MESSAGE_ID_BYTES) }
}

/** Both have begun at once: the INIT of the smaller identity counts [D-32]. */
export function oursWins(contact: ContactRecord, self: PublicIdentity): boolean {
  return contact.state === "recovering" && toHex(encodeIdentity(self)) < toHex(contact.identity)
}

/** The secret of a handshake that a known contact has not answered yet; empty for none. */
export function nextSecretKey(contact: ContactId): string {
  return `next-secret/${contact}`
}

export function nextSecret(contact: ContactId, value: Uint8Array): Change {
  return { kind: "setting", key: nextSecretKey(contact), value }
}

/** Their first message confirms whom we answered; the first of their second chain confirms who answered us [S-14]. */
export function confirm(book: Book, draft: Draft, newChain: boolean): void {
  const { contact } = draft
  const state = afterMessage(contact.state, newChain)
  if (state === contact.state) return
  draft.contact = { ...contact, state }
  const secret = book.settings.get(nextSecretKey(contact.id)) ?? NOTHING
  if (secret.length > 0) {
    if (contact.state !== "unconfirmed") draft.contact = { ...draft.contact, recoverySecret: secret }
    draft.changes.push(nextSecret(contact.id, NOTHING))
  }
  for (const letter of book.outgoing.values()) {
    if (letter.contact === contact.id && letter.kind === "init") {
      draft.changes.push({ kind: "outgoing-done", seq: letter.seq })
    }
  }
  draft.changes.push(...retire(formerBundles(book, draft.contact), seconds(draft.moment)))
  if (contact.state === "recovering") showLine(draft, `the connection with ${contact.name} was made anew`)
}

/** The newest of them serve for a while yet, in case the peer comes back from what it had before. */
function retire(former: OpenBundleRecord[], now: number): Change[] {
  const until = now + FORMER_LIFE_S
  const newest = former.filter(({ notAfter }) => notAfter >= now).sort((a, b) => b.notAfter - a.notAfter)
  const kept = newest.slice(0, FORMER_MAX)
  const shortened = kept.filter(({ notAfter }) => notAfter > until)
  return [
    ...closing(former.filter((bundle) => !kept.includes(bundle))),
    ...shortened.map((bundle): Change => ({ kind: "open-bundle", bundle: { ...bundle, notAfter: until } })),
  ]
}

/** Recovery bundles of sessions before this one. Until it is confirmed the peer may have to come back to one of them. */
function formerBundles(book: Book, { id, recoverySecret }: ContactRecord): OpenBundleRecord[] {
  return [...book.bundles.values()].filter((record) => {
    if (record.contact !== id) return false
    const { hash } = readBundleSecrets(record).open.bundle
    return toHex(record.psk) !== toHex(recoveryPsk(hash, recoverySecret as RecoverySecret))
  })
}
