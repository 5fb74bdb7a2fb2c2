import type { DeviceRecord, OutgoingRecord } from "../../store/records.ts"
import { devicesOf } from "../contacts/devices.ts"
import type { Change } from "../state/decision.ts"
import { toHex } from "../../crypto/bytes.ts"
import type { EngineState } from "../state/engine-state.ts"
import { changesOfMessage, entryKey, queueSize } from "../state/outgoing-index.ts"
import type { CarriedChange } from "../../store/message-records.ts"
import type { ContactId } from "../../store/ids.ts"

/** A device that acknowledges nothing while this many wait is gone, or being flooded. */
const OUTBOX_MAX = 10_000
const OUTBOX_BYTES_MAX = 64 * 1024 * 1024

/** Whether the queue of a device takes one more text. */
export function hasRoom(state: EngineState, { id }: DeviceRecord): boolean {
  const { entries, bytes } = queueSize(state, id)
  return entries < OUTBOX_MAX && bytes < OUTBOX_BYTES_MAX
}

/** The entries of one text of ours in the outbox: one for each device of the contact that has not acknowledged it. */
export function deliveriesOf(state: EngineState, contact: ContactId, id: Uint8Array): OutgoingRecord[] {
  return devicesOf(state, contact).flatMap((device) => {
    const seq = state.byTextId.get(entryKey(device.id, id))
    return (seq === undefined ? undefined : state.outgoing.get(seq)) ?? []
  })
}

/** A text of ours that no device of the contact has acknowledged yet, with what waits in the outbox for it. */
export type WaitingText = {
  readonly contact: ContactId
  readonly id: Uint8Array
  readonly entries: readonly OutgoingRecord[]
}

/** Oldest first. What another device of the contact has is delivered, though the outbox still holds it. */
export function waitingTexts(state: EngineState): WaitingText[] {
  const waiting = collectWaiting(
    state,
    ({ carries }) => carries && { key: toHex(carries.id), what: carries.id },
  )
  return waiting.map(({ contact, what: id, entries }) => ({ contact, id, entries }))
}

type Waiting<What> = {
  readonly contact: ContactId
  readonly what: What
  readonly entries: readonly OutgoingRecord[]
}

/** The entries that no device has acknowledged, under what they carry for a contact: `what` is that of the last one. */
export function collectWaiting<What>(
  state: EngineState,
  carriedIn: (entry: OutgoingRecord) => { readonly key: string; readonly what: What } | undefined,
): Waiting<What>[] {
  const waiting = new Map<string, Waiting<What> & { readonly entries: OutgoingRecord[] }>()
  for (const entry of state.outgoing.values()) {
    const contact = state.devices.get(entry.device)?.contact
    const carried = entry.delivered ? undefined : carriedIn(entry)
    if (contact === undefined || carried === undefined) continue
    const key = `${contact}/${carried.key}`
    const entries = waiting.get(key)?.entries ?? []
    entries.push(entry)
    waiting.set(key, { contact, what: carried.what, entries })
  }
  return [...waiting.values()]
}

/** Whether the broker has not received it yet, for any device. */
export function isQueued({ entries }: Pick<WaitingText, "entries">): boolean {
  return entries.every(({ published }) => !published)
}

/** One device has the text: for the others it stays in the outbox, and no one waits for it. */
export function markDelivered(state: EngineState, contact: ContactId, id: Uint8Array): Change[] {
  return deliveriesOf(state, contact, id)
    .filter(({ delivered }) => !delivered)
    .map((entry) => ({ kind: "outgoing", outgoing: { ...entry, delivered: true } }))
}

/** The entries of one change, or of an older one of its kind that it takes the place of, for all devices of the contact. */
export function deliveriesOfChange(
  state: EngineState,
  contact: ContactId,
  { author, id, kind, time }: CarriedChange,
): OutgoingRecord[] {
  const entries = devicesOf(state, contact).flatMap((device) => changesOfMessage(state, device.id, id))
  return entries.filter(
    ({ carriesChange: change }) =>
      change !== undefined && change.author === author && change.kind === kind && change.time <= time,
  )
}
