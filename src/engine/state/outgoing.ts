import { equal } from "../../crypto/bytes.ts"
import { seal } from "../../session/ratchet.ts"
import {
  NOT_PUBLISHED,
  type AnswerKind,
  type DeviceRecord,
  type OutgoingRecord,
} from "../../store/records.ts"
import { type Frame, LIST_MAX, SHORT_MID_BYTES } from "../../wire/frame.ts"
import { listedIn } from "../../wire/one-message.ts"
import { inboxTopic, splitInbox } from "../../wire/topics.ts"
import type { EngineState } from "./engine-state.ts"
import { outgoingOfKind } from "./outgoing-index.ts"
import { isOfHandshake, maySeal, sendableTo } from "./send-gate.ts"
import type { DeviceUpdate } from "./update.ts"

export type SealRefusal = "waiting-for-peer" | "chain-full" | "too-long" | "withheld"

export type SealResult = { readonly kind: "posted" } | { readonly kind: "refused"; readonly why: SealRefusal }

/** With 64 receipts and all that may stand beside it such a frame fits the bucket of 4,096. */
const PIGGYBACK_BYTES_MAX = 3_000

/** A frame for the outbox. */
type Outgoing = {
  readonly kind: OutgoingRecord["kind"]
  readonly frames: readonly Frame[]
  readonly carries?: OutgoingRecord["carries"]
  readonly delivered?: boolean
  readonly carriesChange?: OutgoingRecord["carriesChange"]
  readonly withdrawnNumber?: number
  /** Of a frame of a handshake: the mid of the message that it answers. */
  readonly answers?: Uint8Array
}

/**
 * Seals the frames into the outbox, with waiting receipts added. A refusal leaves the update as it was. What is sealed for
 * a contact passes here, but for an INIT and MOVED: so here is the gate [D-41].
 */
export function sealAndEnqueue(update: DeviceUpdate, outgoing: Outgoing): SealResult {
  const { frames } = outgoing
  if (!maySeal(update, frames)) return { kind: "refused", why: "withheld" }
  const mayPiggyback = sendableTo(update) === "everything" && !isLarge(frames)
  const piggybacked = mayPiggyback ? receiptsWith(update, outgoing) : []
  if (piggybacked.length === 0) return sealWithoutReceipts(update, outgoing)
  const sealed = sealWithoutReceipts(update, {
    ...outgoing,
    frames: [...frames, { kind: "ack", mids: piggybacked }],
  })
  if (sealed.kind === "posted") {
    update.receipts = update.receipts.filter((mid) => !piggybacked.includes(mid))
    return sealed
  }
  return sealed.why === "too-long" && frames.length > 0 ? sealWithoutReceipts(update, outgoing) : sealed
}

/** With receipts it might not fit the bucket that the broker still takes. */
function isLarge(frames: readonly Frame[]): boolean {
  return frames.some(
    (frame) =>
      (frame.kind === "text" && frame.text.length > PIGGYBACK_BYTES_MAX) ||
      (frame.kind === "edit" && frame.text.length > PIGGYBACK_BYTES_MAX) ||
      (frame.kind === "chain" && frame.links.length > PIGGYBACK_BYTES_MAX),
  )
}

/** Seals an answer, which takes the place of one of its kind that still waits: a peer can ask without end [D-73]. */
export function sealAnswer(
  state: EngineState,
  update: DeviceUpdate,
  answer: { readonly kind: AnswerKind; readonly frames: readonly Frame[] },
): SealResult {
  const sealed = sealAndEnqueue(update, answer)
  if (sealed.kind === "refused") return sealed
  for (const { seq } of outgoingOfKind(state, update.device.id, answer.kind))
    update.changes.push({ kind: "outgoing-done", seq })
  return sealed
}

/** A rejection may leave after a block, and says nothing else. A frame of a handshake may leave after a lock, so it says only that the message has come which it answers [D-41]. */
function receiptsWith(
  { receipts }: DeviceUpdate,
  { kind, frames, answers }: Outgoing,
): readonly Uint8Array[] {
  if (kind === "rejection") return []
  if (!isOfHandshake(kind)) return receipts.slice(0, LIST_MAX - listed(frames))
  return receipts.filter((mid) => answers !== undefined && equal(mid, answers.slice(0, SHORT_MID_BYTES)))
}

function listed(frames: readonly Frame[]): number {
  return frames.reduce((sum, frame) => sum + listedIn(frame), 0)
}

function sealWithoutReceipts(update: DeviceUpdate, outgoing: Outgoing): SealResult {
  const { kind, frames, carries, carriesChange, delivered = false, withdrawnNumber = null } = outgoing
  const { device, input } = update
  const sealed = seal(update.session, frames, input.random)
  if (sealed.kind === "refused") return sealed
  update.session = sealed.next
  const { wire, mid } = sealed
  const topic = peerTopic(device)
  enqueue(update, { kind, topic, wire, mid, carries, carriesChange, delivered, withdrawnNumber })
  return { kind: "posted" }
}

/** Puts finished bytes into the outbox, due at once. */
export function enqueue(
  update: DeviceUpdate,
  entry: Omit<OutgoingRecord, "seq" | "device" | keyof typeof NOT_PUBLISHED | "dueAt" | "createdAt">,
): void {
  const { now } = update.input
  update.changes.push({
    kind: "outgoing",
    outgoing: {
      seq: update.seq,
      device: update.device.id,
      ...NOT_PUBLISHED,
      dueAt: now,
      createdAt: now,
      ...entry,
      mid: entry.mid.slice(0, SHORT_MID_BYTES),
    },
  })
  update.seq++
}

function peerTopic({ peerInbox }: DeviceRecord): string {
  return inboxTopic(splitInbox(peerInbox))
}
