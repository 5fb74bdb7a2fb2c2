import type { OutgoingRecord } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"
import { dueAgain, entryKey, outgoingWithNumber } from "../state/outgoing-index.ts"
import type { DeviceUpdate } from "../state/update.ts"
import { LIST_MAX } from "../../wire/frame.ts"
import type { Change } from "../state/decision.ts"
import { deliveriesOfChange, markDelivered } from "./deliveries.ts"
import { mayRetransmitNow } from "./retransmit-schedule.ts"
import { sealAnswer } from "../state/outgoing.ts"
import { advance, withdrawnBy } from "./withdrawn-texts.ts"

/** The peer has this frame on disk: it is never sent again. */
export function applyAck(state: EngineState, update: DeviceUpdate, mid8: Uint8Array): void {
  const { device } = update
  const seq = state.bySentId.get(entryKey(device.id, mid8))
  const entry = seq === undefined ? undefined : state.outgoing.get(seq)
  if (entry !== undefined)
    update.changes.push({ kind: "outgoing-done", seq: entry.seq }, ...changeDelivered(state, update, entry))
  const id = entry === undefined ? withdrawnBy(state, device.id, mid8) : entry.carries?.id
  if (id === undefined) return
  update.changes.push(...deliveredElsewhere(state, update, id))
  advance(state, update, id, "delivered")
}

/** A text of ours was read, so it is also on the peer's disk. */
export function applyRead(state: EngineState, update: DeviceUpdate, id: Uint8Array): void {
  const seq = state.byTextId.get(entryKey(update.device.id, id))
  if (seq !== undefined) update.changes.push({ kind: "outgoing-done", seq })
  update.changes.push(...deliveredElsewhere(state, update, id))
  advance(state, update, id, "read")
}

/** The entries of the contact's other devices stay: each of them gets the text. */
function deliveredElsewhere(state: EngineState, { contact, device }: DeviceUpdate, id: Uint8Array): Change[] {
  return markDelivered(state, contact.id, id).filter(
    (change) => change.kind !== "outgoing" || change.outgoing.device !== device.id,
  )
}

/** Of this change, and of older ones that it took the place of, no one waits for what is left in the outbox. */
function changeDelivered(
  state: EngineState,
  { contact, changes }: DeviceUpdate,
  { seq, carriesChange }: OutgoingRecord,
): Change[] {
  if (carriesChange === undefined) return []
  const done = new Set(changes.flatMap((change) => (change.kind === "outgoing-done" ? change.seq : [])))
  return deliveriesOfChange(state, contact.id, carriesChange)
    .filter((entry) => entry.seq !== seq && !done.has(entry.seq) && !entry.delivered)
    .map((entry) => ({ kind: "outgoing", outgoing: { ...entry, delivered: true } }))
}

/** The peer misses these texts: they are sent at once, and the peer is told which will never come [D-22]. */
export function applyAgain(state: EngineState, update: DeviceUpdate, numbers: readonly number[]): void {
  const { input, textNumbers } = update
  const found = entriesByNumber(state, update, numbers)
  const requested = [...found.values()].filter((entry) => mayRetransmitNow(entry, input.now))
  const waiting = dueAgain(state, update.device.id, input.now)
  for (const entry of requested.slice(0, Math.max(0, LIST_MAX - waiting)))
    update.changes.push({ kind: "outgoing", outgoing: { ...entry, dueAt: input.now } })
  const gone = numbers.filter((number) => number < textNumbers.sent && !found.has(number))
  if (gone.length > 0)
    sealAnswer(state, update, { kind: "gone", frames: [{ kind: "gone", reason: "not-held", numbers: gone }] })
}

function entriesByNumber(
  state: EngineState,
  { device }: DeviceUpdate,
  numbers: readonly number[],
): Map<number, OutgoingRecord> {
  const found = new Map<number, OutgoingRecord>()
  for (const number of numbers) {
    const entry = outgoingWithNumber(state, device.id, number)
    if (entry !== undefined) found.set(number, entry)
  }
  return found
}
