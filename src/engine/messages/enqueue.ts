import { startStep } from "../../session/pq.ts"
import type { ContactId, MessageRecord } from "../../store/records.ts"
import { SHORT_MID_BYTES, type Frame } from "../../wire/frame.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import { updateFor, seconds, toDecision, type ContactUpdate, type StepInput } from "../state/update.ts"
import { MESSAGE_ID_BYTES } from "../state/message-id.ts"
import { sendableTo } from "../state/send-gate.ts"
import { timerOf } from "../contacts/timers.ts"
import { sealAndEnqueue, type SealRefusal, type SealResult } from "../state/outgoing.ts"

type EnqueueResult =
  /** `mid` is the message's id, 16 bytes. */
  { kind: "posted"; mid: Uint8Array } | { kind: "refused"; why: SealRefusal | "no-session" }

/** Stores a text of ours, seals it and puts it into the outbox. `text` is 1 to 65,367 bytes of UTF-8. */
export function enqueueText(
  state: EngineState,
  to: ContactId,
  text: string,
  input: StepInput,
): Decision<EnqueueResult> {
  const update = updateFor(state, to, input)
  if (update === undefined) return keepUnsealed(state, to, text, input)
  const sealed = sealText(update, { text, time: input.now, originalId: undefined })
  if (sealed.kind === "refused") return noChange(sealed)
  const { timer } = update.contact
  update.changes.push(ownMessage({ contact: to, mid: sealed.mid, text, timer }, input))
  update.effects.push({ kind: "message", contact: to, mid: sealed.mid })
  startPostQuantumStep(update)
  return toDecision(state, update, sealed)
}

/** A contact from a backup has no session yet: once it has one, the text is sent in it like the others that wait. */
function keepUnsealed(
  state: EngineState,
  to: ContactId,
  text: string,
  input: StepInput,
): Decision<EnqueueResult> {
  const contact = state.contacts.get(to)
  if (contact?.state !== "recovering") return noChange({ kind: "refused", why: "no-session" })
  const mid = input.random(MESSAGE_ID_BYTES)
  return {
    commit: [ownMessage({ contact: to, mid, text, timer: contact.timer }, input)],
    effects: [{ kind: "message", contact: to, mid }],
    result: { kind: "posted", mid },
  }
}

function ownMessage(
  text: Pick<MessageRecord, "contact" | "mid" | "text" | "timer">,
  { now }: StepInput,
): Extract<Change, { kind: "message" }> {
  const mine = { mine: true, kind: "text", state: "queued", shown: true, expiresAt: 0 } as const
  const message = { ...text, ...mine, sentAt: now, storedAt: now, original: new Uint8Array(0) }
  return { kind: "message", message }
}

/** Seals again a text that an earlier session sealed and the peer has not acknowledged, under its old id [W-29]. */
export function reencryptText(
  state: EngineState,
  message: MessageRecord,
  input: StepInput,
): Decision<EnqueueResult> {
  const { contact, mid, text, sentAt } = message
  const update = updateFor(state, contact, input)
  if (update === undefined) return noChange({ kind: "refused", why: "no-session" })
  const sealed = sealText(update, { text, time: sentAt, originalId: mid })
  if (sealed.kind === "refused") return noChange(sealed)
  return toDecision(state, update, { kind: "posted", mid })
}

type TextContent = {
  readonly text: string
  readonly time: number
  readonly originalId: Uint8Array | undefined
}

function sealText(update: ContactUpdate, { text, time, originalId }: TextContent): SealResult {
  const { contact, textNumbers } = update
  const bytes = new Uint8Array(Buffer.from(text, "utf8"))
  const frames: Frame[] = [
    { kind: "text", time, replyTo: undefined, text: bytes },
    { kind: "number", number: textNumbers.sent },
  ]
  if (originalId !== undefined) frames.push({ kind: "original", mid: originalId.slice(0, SHORT_MID_BYTES) })
  if (contact.timer > 0) frames.push(timerOf(contact))
  const sealed = sealAndEnqueue(update, {
    kind: "text",
    frames,
    text: { mid: originalId, number: textNumbers.sent },
  })
  if (sealed.kind === "posted") update.textNumbers = { ...textNumbers, sent: textNumbers.sent + 1 }
  return sealed
}

/** Sends a single frame that may get lost. Returns whether the session could seal it. */
export function enqueuePassing(
  state: EngineState,
  to: ContactId,
  frame: Frame,
  input: StepInput,
): Decision<boolean> {
  const update = updateFor(state, to, input)
  if (update === undefined) return noChange(false)
  if (sealAndEnqueue(update, { kind: "passing", frames: [frame] }).kind === "refused") return noChange(false)
  return toDecision(state, update, true)
}

/** Sends the waiting receipts in frames of their own. */
export function enqueueReceipts(state: EngineState, to: ContactId, input: StepInput): Decision<null> {
  const update = updateFor(state, to, input)
  // What waits for a comparison goes out after it.
  if (update === undefined || sendableTo(update.contact) !== "everything") return noChange(null)
  while (update.receipts.length > 0) {
    // A full chain continues when the peer sends; the peer's retransmissions ask for these receipts again.
    if (sealAndEnqueue(update, { kind: "passing", frames: [] }).kind === "refused") update.receipts = []
  }
  return toDecision(state, update, null)
}

/** Starts a post-quantum step if one is due; a session that cannot send now tries again later. */
export function startPostQuantumStep(update: ContactUpdate): void {
  const started = startStep(update.session, seconds(update.input), update.input.random)
  if (started === undefined) return
  const before = update.session
  update.session = started.next
  if (sealAndEnqueue(update, { kind: "control", frames: [started.frame] }).kind === "refused")
    update.session = before
}
