import { NOT_PUBLISHED, type OutgoingRecord } from "../../store/records.ts"
import type { EngineState } from "./engine-state.ts"
import { outgoingOf, queueSize } from "./outgoing-index.ts"
import type { DeviceUpdate } from "./update.ts"
import type { CarriedChange } from "../../store/message-records.ts"
import type { DeviceId } from "../../store/ids.ts"

const NOTHING = new Uint8Array(0)
/** A session gives the number when it seals the text. */
const NO_NUMBER = -1

/** Whether it is a text that waits for a session of its device: there is none yet, or the one that sealed it is over. */
export function isUnsealed({ wire }: Pick<OutgoingRecord, "wire">): boolean {
  return wire.length === 0
}

type Unsealed = {
  readonly device: DeviceId
  readonly seq: number
  /** Of the message. */
  readonly id: Uint8Array
  readonly now: number
  readonly delivered?: boolean
}

export function unsealedEntry({ device, seq, id, now, delivered = false }: Unsealed): OutgoingRecord {
  return {
    ...{ seq, device, delivered, dueAt: now, createdAt: now },
    kind: "text",
    carries: { id, number: NO_NUMBER },
    carriesChange: undefined,
    withdrawnNumber: null,
    ...{ mid: NOTHING, wire: NOTHING, topic: "" },
    ...NOT_PUBLISHED,
  }
}

type UnsealedChange = {
  readonly device: DeviceId
  readonly seq: number
  readonly change: CarriedChange
  readonly now: number
  readonly delivered?: boolean
}

/** A change of a message that waits in the same way. */
export function unsealedChange({ change, ...rest }: UnsealedChange): OutgoingRecord {
  const entry = unsealedEntry({ ...rest, id: change.id })
  return { ...entry, kind: "control", carries: undefined, carriesChange: { ...change, number: NO_NUMBER } }
}

/** Lets a change of ours wait. */
export function enqueueUnsealedChange(update: DeviceUpdate, change: CarriedChange, delivered: boolean): void {
  const { device, seq, input, changes } = update
  changes.push({
    kind: "outgoing",
    outgoing: unsealedChange({ device: device.id, seq, change, delivered, now: input.now }),
  })
  update.seq++
}

/** Holds the place of what is sent again in a new session, where it begins [D-132]. */
export function enqueueUnsealedResend(update: DeviceUpdate): void {
  const { device, seq, input, changes } = update
  const entry = unsealedEntry({ device: device.id, seq, id: NOTHING, now: input.now })
  changes.push({ kind: "outgoing", outgoing: { ...entry, kind: "resend", carries: undefined } })
  update.seq++
}

/** Lets what a contact is told for introductions wait. The entry carries nothing: what is to be told is read when it is sealed. */
export function enqueueUnsealedSteps(update: DeviceUpdate): void {
  const { device, seq, input, changes } = update
  const entry = unsealedEntry({ device: device.id, seq, id: NOTHING, now: input.now })
  changes.push({ kind: "outgoing", outgoing: { ...entry, kind: "control", carries: undefined } })
  update.seq++
}

export function hasUnsealedSteps(state: EngineState, device: DeviceId): boolean {
  return unsealedFor(state, device).some(
    ({ kind, carries, carriesChange }) =>
      kind !== "resend" && carries === undefined && carriesChange === undefined,
  )
}

/** Lets a text of ours wait until a session of the device can seal it. */
export function enqueueUnsealed(update: DeviceUpdate, id: Uint8Array, delivered: boolean): void {
  const { device, seq, input, changes } = update
  const outgoing = unsealedEntry({ device: device.id, seq, id, delivered, now: input.now })
  changes.push({ kind: "outgoing", outgoing })
  update.seq++
}

/** Texts of a device that wait for a session, oldest first. */
export function unsealedFor(state: EngineState, device: DeviceId): OutgoingRecord[] {
  if (!hasUnsealed(state, device)) return []
  return [...outgoingOf(state, device)].filter(isUnsealed)
}

export function hasUnsealed(state: EngineState, device: DeviceId): boolean {
  return queueSize(state, device).unsealed > 0
}
