import { toHex } from "../../crypto/bytes.ts"
import type { DeviceId } from "../../store/ids.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import { PriorityIndex } from "./priority-index.ts"

type Kind = OutgoingRecord["kind"]

/** The frames of one device that wait, with what finds one of them without a look at the others. */
type DeviceQueue = {
  /** By rising sequence number, as they are published. */
  readonly entries: Map<number, OutgoingRecord>
  /** By the number of the text or change that each carries, or says of that it is not sent any more. */
  readonly byNumber: Map<number, number>
  /** Those of a handshake, the answers and the receipts, of which there are few. */
  readonly byKind: Map<Kind, Set<number>>
  /** Changes of messages, by the id of the message in hex. */
  readonly changes: Map<string, Set<number>>
  /** Sealed and not published yet. */
  readonly unsent: PriorityIndex<number>
  /** Published or set aside, by the time when they are sent again. */
  readonly resting: PriorityIndex<number>
  bytes: number
  /** How many wait for a session. */
  unsealed: number
}

/** All that waits in the outbox. */
export type OutgoingIndex = {
  readonly outgoing: Map<number, OutgoingRecord>
  readonly queues: Map<DeviceId, DeviceQueue>
  /** Devices with sealed frames that were not published yet. */
  readonly unsent: Set<DeviceId>
  /** Devices with published frames, by the first time when one is sent again. */
  readonly resting: PriorityIndex<DeviceId>
  /** Sequence number of a frame by device and its mid, and by device and the id of the text which it carries. */
  readonly bySentId: Map<string, number>
  readonly byTextId: Map<string, number>
}

/** Texts are found by their id, and no one asks for the other kind. */
const FOUND_OTHERWISE: ReadonlySet<Kind> = new Set(["text", "control"])

export function emptyIndex(): OutgoingIndex {
  return {
    outgoing: new Map(),
    queues: new Map(),
    unsent: new Set(),
    resting: new PriorityIndex(),
    bySentId: new Map(),
    byTextId: new Map(),
  }
}

export function copyIndex(index: OutgoingIndex): OutgoingIndex {
  return {
    outgoing: new Map(index.outgoing),
    queues: new Map([...index.queues].map(([device, queue]) => [device, copyQueue(queue)])),
    unsent: new Set(index.unsent),
    resting: new PriorityIndex(index.resting),
    bySentId: new Map(index.bySentId),
    byTextId: new Map(index.byTextId),
  }
}

function copyQueue(queue: DeviceQueue): DeviceQueue {
  const { bytes, unsealed } = queue
  return {
    entries: new Map(queue.entries),
    byNumber: new Map(queue.byNumber),
    byKind: copySets(queue.byKind),
    changes: copySets(queue.changes),
    unsent: new PriorityIndex(queue.unsent),
    resting: new PriorityIndex(queue.resting),
    bytes,
    unsealed,
  }
}

function copySets<Key>(sets: ReadonlyMap<Key, ReadonlySet<number>>): Map<Key, Set<number>> {
  return new Map([...sets].map(([key, set]) => [key, new Set(set)]))
}

function emptyQueue(): DeviceQueue {
  return {
    entries: new Map(),
    byNumber: new Map(),
    byKind: new Map(),
    changes: new Map(),
    unsent: new PriorityIndex(),
    resting: new PriorityIndex(),
    bytes: 0,
    unsealed: 0,
  }
}

export function entryKey(device: DeviceId, id: Uint8Array): string {
  return `${device}/${toHex(id)}`
}

/** The number of what the frame carries, or says of that it is not sent any more. */
export function numberOf({ carries, carriesChange, withdrawnNumber }: OutgoingRecord): number | undefined {
  return carries?.number ?? carriesChange?.number ?? withdrawnNumber ?? undefined
}

export function putOutgoing(index: OutgoingIndex, entry: OutgoingRecord): void {
  const { seq, device, mid, carries } = entry
  const before = index.outgoing.get(seq)
  if (before === undefined) addEntry(index, entry)
  else if (isSame(before, entry)) replaceEntry(index, entry)
  else {
    removeOutgoing(index, seq)
    addEntry(index, entry)
  }
  index.outgoing.set(seq, entry)
  if (mid.length > 0) index.bySentId.set(entryKey(device, mid), seq)
  if (carries !== undefined) index.byTextId.set(entryKey(device, carries.id), seq)
}

/** Whether only its schedule is another. */
function isSame(before: OutgoingRecord, entry: OutgoingRecord): boolean {
  return (
    before.device === entry.device &&
    before.kind === entry.kind &&
    before.wire === entry.wire &&
    before.carriesChange === entry.carriesChange &&
    numberOf(before) === numberOf(entry)
  )
}

function addEntry(index: OutgoingIndex, entry: OutgoingRecord): void {
  const { seq, device, wire, kind, carriesChange } = entry
  const queue = index.queues.get(device) ?? emptyQueue()
  index.queues.set(device, queue)
  queue.bytes += wire.length
  if (wire.length === 0) queue.unsealed++
  const number = numberOf(entry)
  if (number !== undefined && number >= 0) queue.byNumber.set(number, seq)
  if (!FOUND_OTHERWISE.has(kind)) addTo(queue.byKind, kind, seq)
  if (carriesChange !== undefined) addTo(queue.changes, toHex(carriesChange.id), seq)
  schedule(index, queue, entry)
}

function replaceEntry(index: OutgoingIndex, entry: OutgoingRecord): void {
  const queue = index.queues.get(entry.device)
  if (queue !== undefined) schedule(index, queue, entry)
}

function schedule(index: OutgoingIndex, queue: DeviceQueue, entry: OutgoingRecord): void {
  const { seq, device, wire, published, refusal, dueAt } = entry
  queue.entries.set(seq, entry)
  if (wire.length === 0) return
  if (published || refusal !== undefined) {
    queue.unsent.delete(seq)
    queue.resting.set(seq, dueAt)
  } else {
    queue.resting.delete(seq)
    queue.unsent.set(seq, seq)
  }
  updateDevice(index, device, queue)
}

function updateDevice(index: OutgoingIndex, device: DeviceId, { unsent, resting }: DeviceQueue): void {
  if (unsent.size === 0) index.unsent.delete(device)
  else index.unsent.add(device)
  if (resting.size === 0) index.resting.delete(device)
  else index.resting.set(device, resting.lowest)
}

export function removeOutgoing(index: OutgoingIndex, seq: number): void {
  const entry = index.outgoing.get(seq)
  if (entry === undefined) return
  const { device, mid, carries } = entry
  index.outgoing.delete(seq)
  index.bySentId.delete(entryKey(device, mid))
  const textKey = carries && entryKey(device, carries.id)
  if (textKey !== undefined && index.byTextId.get(textKey) === seq) index.byTextId.delete(textKey)
  const queue = index.queues.get(device)
  if (queue !== undefined) removeEntry(index, queue, entry)
}

function removeEntry(index: OutgoingIndex, queue: DeviceQueue, entry: OutgoingRecord): void {
  const { seq, device, wire, kind, carriesChange } = entry
  queue.entries.delete(seq)
  queue.bytes -= wire.length
  if (wire.length === 0) queue.unsealed--
  const number = numberOf(entry)
  if (number !== undefined && queue.byNumber.get(number) === seq) queue.byNumber.delete(number)
  removeFrom(queue.byKind, kind, seq)
  if (carriesChange !== undefined) removeFrom(queue.changes, toHex(carriesChange.id), seq)
  queue.unsent.delete(seq)
  queue.resting.delete(seq)
  updateDevice(index, device, queue)
  if (queue.entries.size === 0) index.queues.delete(device)
}

function addTo<Key>(sets: Map<Key, Set<number>>, key: Key, seq: number): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([seq]))
  else set.add(seq)
}

function removeFrom<Key>(sets: Map<Key, Set<number>>, key: Key, seq: number): void {
  const set = sets.get(key)
  set?.delete(seq)
  if (set?.size === 0) sets.delete(key)
}

/** What waits for a device, by rising sequence number. */
export function outgoingOf({ queues }: OutgoingIndex, device: DeviceId): Iterable<OutgoingRecord> {
  return queues.get(device)?.entries.values() ?? []
}

/** What waits of a handshake, of an answer or of receipts. */
export function outgoingOfKind(
  index: OutgoingIndex,
  device: DeviceId,
  kind: Exclude<Kind, "text" | "control">,
): OutgoingRecord[] {
  const queue = index.queues.get(device)
  return queue === undefined ? [] : entriesIn(queue, queue.byKind.get(kind))
}

/** The changes of one message of either side that wait for a device. */
export function changesOfMessage(index: OutgoingIndex, device: DeviceId, id: Uint8Array): OutgoingRecord[] {
  const queue = index.queues.get(device)
  return queue === undefined || queue.changes.size === 0 ? [] : entriesIn(queue, queue.changes.get(toHex(id)))
}

/** How many wait of a handshake, of an answer or of receipts. */
export function countOfKind({ queues }: OutgoingIndex, device: DeviceId, kind: Kind): number {
  return queues.get(device)?.byKind.get(kind)?.size ?? 0
}

/** How many published frames of a device are due again. */
export function dueAgain({ queues }: OutgoingIndex, device: DeviceId, now: number): number {
  return queues.get(device)?.resting.upTo(now).length ?? 0
}

/** The frame that carries what has this number, or says that it is not sent any more. */
export function outgoingWithNumber(
  { queues }: OutgoingIndex,
  device: DeviceId,
  number: number,
): OutgoingRecord | undefined {
  const queue = queues.get(device)
  const seq = queue?.byNumber.get(number)
  return seq === undefined ? undefined : queue?.entries.get(seq)
}

function entriesIn({ entries }: DeviceQueue, seqs: ReadonlySet<number> | undefined): OutgoingRecord[] {
  return [...(seqs ?? [])].flatMap((seq) => entries.get(seq) ?? [])
}

export type QueueSize = { readonly entries: number; readonly bytes: number; readonly unsealed: number }

export function queueSize({ queues }: OutgoingIndex, device: DeviceId): QueueSize {
  const queue = queues.get(device)
  if (queue === undefined) return { entries: 0, bytes: 0, unsealed: 0 }
  const { bytes, unsealed, entries } = queue
  return { entries: entries.size, bytes, unsealed }
}
