import { toHex, type RecoverySecret } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { readBundle } from "../../session/bundle.ts"
import { MODE, recoveryPsk } from "../../session/handshake.ts"
import type { DeviceRecord, OpenBundleRecord } from "../../store/records.ts"
import { HOUR_MS, MINUTE_MS } from "../../time-units.ts"
import type { Inbox } from "../../wire/topics.ts"
import { contactOf } from "../contacts/devices.ts"
import type { EngineState } from "../state/engine-state.ts"
import { outgoingOfKind } from "../state/outgoing-index.ts"
import type { Change, Decision } from "../state/decision.ts"
import { wallSeconds, type StepInput } from "../state/update.ts"
import { initMid } from "./init-memory.ts"
import { recoveryChange, recoveryStateOf, REPEATED_MS, withNewSession } from "./recovery-state.ts"
import { startHandshake, type Started } from "./initiator.ts"
import type { Self } from "./hello.ts"
import type { DeviceId } from "../../store/ids.ts"

/**
 * After a handshake whose session was confirmed: longer than frames of the session before are usually under way, and short
 * enough for someone whose disk is put back again and again.
 */
const AFTER_CONFIRMED_MS = 10_000
/** How long the next automatic handshake waits after each that was not answered; the last value repeats. */
const WAITS_MS = [MINUTE_MS, 5 * MINUTE_MS, 30 * MINUTE_MS] as const
const LONGEST_WAIT_MS = 2 * HOUR_MS

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

/**
 * A peer that still repeats a losing INIT, or makes another, could not answer ours: its disk was put back to a state before
 * the bundle. Counted from the first one that lost, however often they come.
 */
export function isRetried(state: EngineState, device: DeviceId, now: number): boolean {
  const { lostInit } = recoveryStateOf(state, device)
  return lostInit !== undefined && now - lostInit.at >= REPEATED_MS
}

/** Retransmits our INIT, so that it arrives before theirs is repeated. */
export function loseInit(state: EngineState, device: DeviceId, init: Uint8Array, now: number): Change[] {
  const at = recoveryStateOf(state, device).lostInit?.at ?? now
  return [
    recoveryChange(state, device, { lostInit: { mid: initMid(init), at } }),
    ...outgoingOfKind(state, device, "init").map((entry): Change => ({
      kind: "outgoing",
      outgoing: { ...entry, dueAt: now },
    })),
  ]
}

/** Whether a handshake may start automatically now [D-30]. A time in the future was written by a clock that was wrong. */
export function mayRecover(state: EngineState, device: DeviceId, now: number): boolean {
  const { startedAt, attempts } = recoveryStateOf(state, device)
  const wait = attempts === 0 ? AFTER_CONFIRMED_MS : (WAITS_MS[attempts - 1] ?? LONGEST_WAIT_MS)
  return startedAt > now || now - startedAt >= wait
}

/** One that starts automatically, after `attempts` others. */
export function noteRecovery(state: EngineState, device: DeviceId, now: number): Change {
  const { attempts } = recoveryStateOf(state, device)
  return withNewSession(state, device, { startedAt: now, attempts: attempts + 1 })
}

/** One that a person begins: frames of the session before are still under way for a while. */
export function noteReset(state: EngineState, device: DeviceId, now: number): Change {
  return withNewSession(state, device, { startedAt: now, attempts: 1 })
}
