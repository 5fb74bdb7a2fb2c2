import { equal, toHex, type RecoverySecret } from "../../crypto/bytes.ts"
import { recoveryPsk } from "../../session/handshake.ts"
import type { ContactId, ContactRecord, OpenBundleRecord } from "../../store/records.ts"
import { DAY_S } from "../../time-units.ts"
import { encodeIdentity, type PublicIdentity } from "../../wire/identity.ts"
import type { EngineState } from "../state/engine-state.ts"
import { closing, readBundleSecrets } from "./bundles.ts"
import { afterMessage } from "../contacts/conversation-state.ts"
import type { Change } from "../state/decision.ts"
import { seconds, type ContactUpdate } from "../state/update.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import { messageId } from "../state/message-id.ts"

const NOTHING = new Uint8Array(0)
/** A restored backup, or a laptop that was off for long, starts with a bundle of ours from before the last handshake. */
const SUPERSEDED_LIFE_S = 30 * DAY_S
const SUPERSEDED_MAX = 8
/** More than a contact has machines; only the contact itself could cause more. */
const INITS_MAX = 64

/** Whether this INIT of the contact was accepted before: a repeated one must not start the session again. */
export function wasAccepted(state: EngineState, contact: ContactId, init: Uint8Array): boolean {
  const mid = messageId(init)
  return acceptedInits(state, contact).some((accepted) => equal(accepted, mid))
}

/** Whether it started the present session: those of earlier INITs are over. */
export function wasAcceptedLast(state: EngineState, contact: ContactId, init: Uint8Array): boolean {
  const last = acceptedInits(state, contact).at(-1)
  return last !== undefined && equal(last, messageId(init))
}

export function rememberInit(state: EngineState, contact: ContactId, init: Uint8Array): Change {
  const mids = [...acceptedInits(state, contact), messageId(init)].slice(-INITS_MAX)
  return { kind: "device", contact, part: "acceptedInits", value: { mids } }
}

function acceptedInits(state: EngineState, contact: ContactId): readonly Uint8Array[] {
  return state.devices.get(contact)?.acceptedInits?.mids ?? []
}

/** Both started at once: the INIT of the smaller identity counts [D-32]. */
export function oursWins(contact: ContactRecord, self: PublicIdentity): boolean {
  return contact.state === "recovering" && toHex(encodeIdentity(self)) < toHex(contact.identity)
}

/** Where we answered, their first message confirms them; where they answered, the first of their second chain does [S-14]. */
export function confirm(state: EngineState, update: ContactUpdate, newChain: boolean): void {
  const { contact } = update
  const nextState = afterMessage(contact.state, newChain)
  if (nextState === contact.state) return
  const next = contact.nextRecoverySecret
  const isTheirAnswer = next.length > 0 && contact.state !== "unconfirmed"
  const recoverySecret = isTheirAnswer ? next : contact.recoverySecret
  update.contact = { ...contact, state: nextState, recoverySecret, nextRecoverySecret: NOTHING }
  for (const entry of state.outgoing.values()) {
    if (entry.contact === contact.id && entry.kind === "init") {
      update.changes.push({ kind: "outgoing-done", seq: entry.seq })
    }
  }
  update.changes.push(...retire(supersededBundles(state, update.contact), seconds(update.input)))
  if (contact.state === "recovering")
    addSystemMessage(update, `the connection with ${contact.name} was renewed`)
}

/** The newest of them stay valid for a while, in case the peer returns to an older state. */
function retire(superseded: OpenBundleRecord[], now: number): Change[] {
  const until = now + SUPERSEDED_LIFE_S
  const newest = superseded.filter(({ notAfter }) => notAfter >= now).sort((a, b) => b.notAfter - a.notAfter)
  const kept = newest.slice(0, SUPERSEDED_MAX)
  const shortened = kept.filter(({ notAfter }) => notAfter > until)
  return [
    ...closing(superseded.filter((bundle) => !kept.includes(bundle))),
    ...shortened.map((bundle): Change => ({ kind: "open-bundle", bundle: { ...bundle, notAfter: until } })),
  ]
}

/** Recovery bundles of earlier sessions. Until this one is confirmed, the peer may have to return to one of them. */
function supersededBundles(state: EngineState, { id, recoverySecret }: ContactRecord): OpenBundleRecord[] {
  return [...state.bundles.values()].filter((record) => {
    if (record.contact !== id) return false
    const { hash } = readBundleSecrets(record).open.bundle
    return toHex(record.psk) !== toHex(recoveryPsk(hash, recoverySecret as RecoverySecret))
  })
}
