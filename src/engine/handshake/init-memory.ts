import { equal } from "../../crypto/bytes.ts"
import { SHORT_MID_BYTES, SUPERSEDED_INITS_MAX, type Frame } from "../../wire/frame.ts"
import type { DeviceId } from "../../store/ids.ts"
import type { DeviceRecord } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"
import { messageId } from "../state/message-id.ts"
import { duplicate, FRAME_TRANSITIONS, type ReceiveResult } from "../state/receive-result.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import type { DeviceUpdate } from "../state/update.ts"

/** More than a device is set up again; only the device itself could cause more. */
const INITS_MAX = 64

/** Whether this INIT of the device may start no session: it did, or is superseded [D-31] [D-153]. */
export function isKnownInit(state: EngineState, device: DeviceId, init: Uint8Array): boolean {
  const mid = initMid(init)
  return knownInits(state, device).some((known) => equal(known, mid))
}

/**
 * One that comes again. Until the session is confirmed its peer only waits for the WELCOME, which is in the outbox. Later it
 * fits nothing: a disk of theirs may have been put back to the middle of a handshake.
 */
export function onKnownInit(state: EngineState, device: DeviceId): Decision<ReceiveResult> {
  if (state.devices.get(device)?.state !== "established") return duplicate(device)
  return noChange({ kind: FRAME_TRANSITIONS.arrived["it does not open"], why: "unknown-tag" })
}

/** The part after `mids` are added to what this update has made of it so far. */
export function rememberInits(
  state: EngineState,
  { device, changes }: DeviceUpdate,
  mids: readonly Uint8Array[],
): void {
  if (mids.length === 0) return
  const before = changes.findLast(isOfKnownInits)?.value.mids ?? knownInits(state, device.id)
  changes.push(knownChange(device.id, before, mids))
}

/** The same where there is no update. */
export function rememberedInits(state: EngineState, device: DeviceId, mids: readonly Uint8Array[]): Change {
  return knownChange(device, knownInits(state, device), mids)
}

type KnownInitsChange = Extract<Change, { kind: "device-part"; part: "acceptedInits" }>

function isOfKnownInits(change: Change): change is KnownInitsChange {
  return change.kind === "device-part" && change.part === "acceptedInits"
}

function knownChange(
  device: DeviceId,
  before: readonly Uint8Array[],
  mids: readonly Uint8Array[],
): KnownInitsChange {
  const value = { mids: [...before, ...mids].slice(-INITS_MAX) }
  return { kind: "device-part", device, part: "acceptedInits", value }
}

function knownInits(state: EngineState, device: DeviceId): readonly Uint8Array[] {
  return state.deviceParts.get(device)?.acceptedInits?.mids ?? []
}

export function initMid(init: Uint8Array): Uint8Array {
  return messageId(init).slice(0, SHORT_MID_BYTES)
}

/** The mids that these frames of theirs name as superseded. */
export function supersededIn(frames: readonly Frame[]): readonly Uint8Array[] {
  return frames.find((frame) => frame.kind === "superseded-inits")?.mids ?? []
}

/** Goes with our HELLO: INITs of ours that were never answered are not to be answered when they arrive late [D-153]. */
export function supersededFrames(state: EngineState, device: DeviceRecord | undefined): Frame[] {
  const mids = device === undefined ? [] : ownInits(state, device.id)
  return mids.length === 0 ? [] : [{ kind: "superseded-inits", mids }]
}

export function ownInitChange(state: EngineState, device: DeviceId, init: Uint8Array): Change {
  const mids = [...ownInits(state, device), initMid(init)].slice(-SUPERSEDED_INITS_MAX)
  return { kind: "device-part", device, part: "ownInits", value: { mids } }
}

/** They are answered, or named to the peer, once a session is confirmed. */
export function ownInitsDone(state: EngineState, device: DeviceId): Change[] {
  if (ownInits(state, device).length === 0) return []
  return [{ kind: "device-part", device, part: "ownInits", value: { mids: [] } }]
}

function ownInits(state: EngineState, device: DeviceId): readonly Uint8Array[] {
  return state.deviceParts.get(device)?.ownInits?.mids ?? []
}
