import { equal, toHex, type RecoverySecret } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { readBundle } from "../../session/bundle.ts"
import { MODE, recoveryPsk } from "../../session/handshake.ts"
import type { Recovery } from "../../store/device-parts.ts"
import type { DeviceRecord, OpenBundleRecord } from "../../store/records.ts"
import { DAY_MS, HOUR_MS } from "../../time-units.ts"
import type { Inbox } from "../../wire/topics.ts"
import { contactOf } from "../contacts/devices.ts"
import type { EngineState } from "../state/engine-state.ts"
import { outgoingOfKind } from "../state/outgoing-index.ts"
import type { Change, Decision } from "../state/decision.ts"
import { wallSeconds, type StepInput } from "../state/update.ts"
import { messageId } from "../state/message-id.ts"
import { startHandshake, type Started } from "./initiator.ts"
import type { Self } from "./hello.ts"
import type { DeviceId } from "../../store/ids.ts"

/** If a connection breaks more often, someone may be breaking it; the user should look into it. */
const PER_DAY = 3
/** A broker may deliver twice; an INIT is retransmitted after five seconds. */
const RETRIED_MS = 3_000

/**
 * A new handshake with a device whose session is lost. It needs no user: the last handshake brought the bundle,
 * whose secret authenticates it in addition to both identities [S-4]. Faults `not-found` without a bundle.
 */
export function startRecovery(
  state: EngineState,
  self: Self,
  to: { readonly device: DeviceRecord; readonly inbox: Inbox },
  input: StepInput,
): Decision<Started> {
  const { device, inbox } = to
  const bundle = readBundle(device.recoveryBundle, wallSeconds(input))
  if (bundle === undefined) {
    const message = `the connection with ${contactOf(state, device.id)?.name ?? ""} cannot be renewed: there is no recovery bundle`
    throw new Fault("not-found", message, "mqttchat pair")
  }
  const psk = recoveryPsk(bundle.hash, device.recoverySecret as RecoverySecret)
  return startHandshake(state, self, { bundle, mode: MODE.recovery, psk, inbox }, input)
}

/** The recovery bundle of ours that an INIT in this mailbox answers, if its device may answer it. */
export function recoveryOf(
  state: EngineState,
  mailbox: Uint8Array,
  tag: Uint8Array,
): OpenBundleRecord | undefined {
  const record = state.bundles.get(toHex(tag))
  return record?.device != null && state.mailboxes.get(toHex(mailbox)) === record.device ? record : undefined
}

/** A peer that still repeats a losing INIT could not answer ours: its disk was restored to a state before the bundle. */
export function isRetried(state: EngineState, device: DeviceId, init: Uint8Array, now: number): boolean {
  const { lostInit } = recoveryStateOf(state, device)
  if (lostInit === undefined || !equal(messageId(init), lostInit.mid)) return false
  return Math.abs(now - lostInit.at) >= RETRIED_MS
}

/** Retransmits our INIT, so that it arrives before theirs is repeated. */
export function loseInit(state: EngineState, device: DeviceId, init: Uint8Array, now: number): Change[] {
  const ours = outgoingOfKind(state, device, "init")
  return [
    recoveryChange(state, device, { lostInit: { mid: messageId(init), at: now } }),
    ...ours.map((entry): Change => ({ kind: "outgoing", outgoing: { ...entry, dueAt: now } })),
  ]
}

/** Whether a recovery may start automatically: at most one an hour and three a day [D-30]. A time in the future is ignored. */
export function mayRecover(state: EngineState, device: DeviceId, now: number): boolean {
  const { startedAt } = recoveryStateOf(state, device)
  const recent = startedAt.filter((time) => time <= now && now - time < DAY_MS)
  return recent.length < PER_DAY && recent.every((time) => now - time >= HOUR_MS)
}

export function noteRecovery(state: EngineState, device: DeviceId, now: number): Change {
  const { startedAt } = recoveryStateOf(state, device)
  return recoveryChange(state, device, { startedAt: [...startedAt, now].slice(-PER_DAY) })
}

export function unmatchedFrom(state: EngineState, device: DeviceId): number {
  return recoveryStateOf(state, device).unmatched
}

export function recoveryChange(state: EngineState, device: DeviceId, changed: Partial<Recovery>): Change {
  const value = { ...recoveryStateOf(state, device), ...changed }
  return { kind: "device-part", device, part: "recovery", value }
}

function recoveryStateOf(state: EngineState, device: DeviceId): Recovery {
  return state.deviceParts.get(device)?.recovery ?? { unmatched: 0, startedAt: [], lostInit: undefined }
}
