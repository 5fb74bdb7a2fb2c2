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

/** A connection that breaks more often is broken by somebody, and a person should look at it. */
const PER_DAY = 3
/** A broker may deliver twice; the sender of an INIT repeats it after five seconds. */
const RETRIED_MS = 3_000

/**
 * A new handshake with somebody whose session is of no use any more. It needs nobody: the bundle came in the last one,
 * and its secret authenticates it besides both identities [S-4]. Faults `not-found` where there is nothing to recover with.
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
    const message = `there is nothing to make the connection with ${contact.name} anew with`
    throw new Fault("not-found", message, "mqttchat pair")
  }
  const psk = recoveryPsk(bundle.hash, contact.recoverySecret as RecoverySecret)
  return startHandshake(state, self, { bundle, mode: MODE.recovery, psk, inbox }, input)
}

/** The recovery bundle of ours that an INIT in this mailbox answers, where its contact may answer it. */
export function recoveryOf(
  state: EngineState,
  mailbox: Uint8Array,
  tag: Uint8Array,
): OpenBundleRecord | undefined {
  const record = state.bundles.get(toHex(tag))
  const contact = record?.contact == null ? undefined : state.contacts.get(record.contact)
  return contact !== undefined && toHex(contact.mailbox) === toHex(mailbox) ? record : undefined
}

/** A peer that still repeats an INIT that lost could not answer ours: a put-back disk knows nothing of its bundle. */
export function isRetried(state: EngineState, contact: ContactId, init: Uint8Array, now: number): boolean {
  const { lostInit } = recoveryStateOf(state, contact)
  if (lostInit === undefined || !equal(messageId(init), lostInit.mid)) return false
  return Math.abs(now - lostInit.at) >= RETRIED_MS
}

/** Ours goes once more, so that it is there before theirs is repeated. */
export function loseInit(state: EngineState, contact: ContactId, init: Uint8Array, now: number): Change[] {
  const ours = [...state.outgoing.values()].filter(
    (entry) => entry.contact === contact && entry.kind === "init",
  )
  return [
    recoveryChange(state, contact, { lostInit: { mid: messageId(init), at: now } }),
    ...ours.map((entry): Change => ({ kind: "outgoing", outgoing: { ...entry, dueAt: now } })),
  ]
}

/** Whether one may begin by itself: at most one an hour and three a day [D-30]. A time in the future counts for nothing. */
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
