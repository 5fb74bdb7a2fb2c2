import { seal } from "../../session/ratchet.ts"
import type { DeviceRecord, OutgoingRecord } from "../../store/records.ts"
import { type Frame, LIST_MAX, SHORT_MID_BYTES } from "../../wire/frame.ts"
import { inboxTopic, splitInbox } from "../../wire/topics.ts"
import { maySeal, sendableTo } from "./send-gate.ts"
import type { DeviceUpdate } from "./update.ts"

export type SealRefusal = "waiting-for-peer" | "chain-full" | "too-long" | "withheld"

export type SealResult =
  | { readonly kind: "posted"; readonly mid: Uint8Array }
  | { readonly kind: "refused"; readonly why: SealRefusal }

/** A frame for the outbox, with the text that it carries, if any. */
type Outgoing = {
  readonly kind: OutgoingRecord["kind"]
  readonly frames: readonly Frame[]
  /** The message whose text it carries; undefined for a new text, whose message id is that of the frame. */
  readonly text?: { readonly mid: Uint8Array | undefined; readonly number: number }
}

/**
 * Seals the frames into the outbox, with waiting receipts added. A refusal leaves the update as it was. What is sealed for
 * a contact passes here, but for an INIT and MOVED: so here is the gate [D-41].
 */
export function sealAndEnqueue(update: DeviceUpdate, outgoing: Outgoing): SealResult {
  const { frames } = outgoing
  if (!maySeal(update, frames)) return { kind: "refused", why: "withheld" }
  const mayAcknowledge = sendableTo(update) === "everything"
  const piggybacked = mayAcknowledge ? update.receipts.slice(0, LIST_MAX) : []
  if (piggybacked.length === 0) return sealWithoutReceipts(update, outgoing)
  const sealed = sealWithoutReceipts(update, {
    ...outgoing,
    frames: [...frames, { kind: "ack", mids: piggybacked }],
  })
  if (sealed.kind === "posted") {
    update.receipts = update.receipts.slice(piggybacked.length)
    return sealed
  }
  return sealed.why === "too-long" && frames.length > 0 ? sealWithoutReceipts(update, outgoing) : sealed
}

function sealWithoutReceipts(update: DeviceUpdate, { kind, frames, text }: Outgoing): SealResult {
  const { device, input } = update
  const sealed = seal(update.session, frames, input.random)
  if (sealed.kind === "refused") return sealed
  update.session = sealed.next
  const { wire, mid } = sealed
  const carries = text && { mid: text.mid ?? mid, number: text.number }
  enqueue(update, { kind, topic: peerTopic(device), wire, mid, carries })
  return { kind: "posted", mid }
}

/** Puts finished bytes into the outbox, due at once. */
export function enqueue(
  update: DeviceUpdate,
  entry: Pick<OutgoingRecord, "kind" | "topic" | "wire" | "mid" | "carries">,
): void {
  const { now } = update.input
  update.changes.push({
    kind: "outgoing",
    outgoing: {
      ...entry,
      device: update.device.id,
      mid: entry.mid.slice(0, SHORT_MID_BYTES),
      seq: update.seq,
      published: false,
      attempts: 0,
      dueAt: now,
      createdAt: now,
    },
  })
  update.seq++
}

function peerTopic({ peerInbox }: DeviceRecord): string {
  return inboxTopic(splitInbox(peerInbox))
}
