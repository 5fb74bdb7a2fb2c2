import { equal, toHex, type RecoverySecret } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { readBundle } from "../../session/bundle.ts"
import { MODE, recoveryPsk } from "../../session/handshake.ts"
import type { ContactId, ContactRecord, OpenBundleRecord, Recovery } from "../../store/records.ts"
import { DAY_MS, HOUR_MS } from "../../time-units.ts"
import type { Inbox } from "../../wire/topics.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Change, Decision } from "../state/decision.ts"
import { seconds, type StepInput } from "../state/update.ts"
import { messageId } from "../state/message-id.ts"
import { startHandshake, type Started } from "./initiator.ts"
import type { Self } from "./hello.ts"

/** If a connection breaks more often, someone may be breaking it; the user should look into it. */
const PER_DAY = 3
/** A broker may deliver twice; an INIT is retransmitted after five seconds. */
const RETRIED_MS = 3_000

/**
 * A new handshake with a contact whose session is lost. It needs no user: the last handshake brought the bundle,
 * whose secret authenticates it in addition to both identities [S-4]. Faults `not-found` without a bundle.
 */
export function startRecovery(
  state: EngineState,
  self: Self,
  to: { readonly contact: ContactRecord; readonly inbox: Inbox },
  input: StepInput,
): Decision<Started> {
  const { contact, inbox } = to
  const bundle = readBundle(contact.recoveryBundle, seconds(input))
  if (bundle === undefined) {
    const message = `the connection with ${contact.name} cannot be renewed: there is no recovery bundle`
    throw new Fault("not-found", message, "mqttchat pair")
  }
  const psk = recoveryPsk(bundle.hash, contact.recoverySecret as RecoverySecret)
  return startHandshake(state, self, { bundle, mode: MODE.recovery, psk, inbox }, input)
}

/** The recovery bundle of ours that an INIT in this mailbox answers, if its contact may answer it. */
export function recoveryOf(
  state: EngineState,
  mailbox: Uint8Array,
  tag: Uint8Array,
): OpenBundleRecord | undefined {
  const record = state.bundles.get(toHex(tag))
  const contact = record?.contact == null ? undefined : state.contacts.get(record.contact)
  return contact !== undefined && toHex(contact.mailbox) === toHex(mailbox) ? record : undefined
}

/** A peer that still repeats a losing INIT could not answer ours: its disk was restored to a state before the bundle. */
export function isRetried(state: EngineState, contact: ContactId, init: Uint8Array, now: number): boolean {
  const { lostInit } = recoveryStateOf(state, contact)
  if (lostInit === undefined || !equal(messageId(init), lostInit.mid)) return false
  return Math.abs(now - lostInit.at) >= RETRIED_MS
}

/** Retransmits our INIT, so that it arrives before theirs is repeated. */
export function loseInit(state: EngineState, contact: ContactId, init: Uint8Array, now: number): Change[] {
  const ours = [...state.outgoing.values()].filter(
    (entry) => entry.contact === contact && entry.kind === "init",
  )
  return [
    recoveryChange(state, contact, { lostInit: { mid: messageId(init), at: now } }),
    ...ours.map((entry): Change => ({ kind: "outgoing", outgoing: { ...entry, dueAt: now } })),
  ]
}

/** Whether a recovery may start automatically: at most one an hour and three a day [D-30]. A time in the future is ignored. */
export function mayRecover(state: EngineState, contact: ContactId, now: number): boolean {
  const { startedAt } = recoveryStateOf(state, contact)
  const recent = startedAt.filter((time) => time <= now && now - time < DAY_MS)
  return recent.length < PER_DAY && recent.every((time) => now - time >= HOUR_MS)
}

export function noteRecovery(state: EngineState, contact: ContactId, now: number): Change {
  const { startedAt } = recoveryStateOf(state, contact)
  return recoveryChange(state, contact, { startedAt: [...startedAt, now].slice(-PER_DAY) })
}

export function unmatchedFrom(state: EngineState, contact: ContactId): number {
  return recoveryStateOf(state, contact).unmatched
}

export function recoveryChange(state: EngineState, contact: ContactId, changed: Partial<Recovery>): Change {
  const value = { ...recoveryStateOf(state, contact), ...changed }
  return { kind: "device", contact, part: "recovery", value }
}

function recoveryStateOf(state: EngineState, contact: ContactId): Recovery {
  return state.devices.get(contact)?.recovery ?? { unmatched: 0, startedAt: [], lostInit: undefined }
}
