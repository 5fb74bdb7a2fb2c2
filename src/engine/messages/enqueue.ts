import { startStep } from "../../session/pq.ts"
import type { ContactId, DeviceId, MessageRecord } from "../../store/records.ts"
import { SHORT_MID_BYTES, type Frame } from "../../wire/frame.ts"
import { devicesOf } from "../contacts/devices.ts"
import { toJointDecision, updateEach } from "../state/each-device.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import { updateFor, seconds, toDecision, type DeviceUpdate, type StepInput } from "../state/update.ts"
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
  let first: Uint8Array | undefined
  let refused: EnqueueResult | undefined
  const updates = updateEach(state, to, input, (update) => {
    if (update.device.movedAt > 0) return
    const sealed = sealText(update, { text, time: input.now, originalId: first })
    if (sealed.kind === "refused") {
      refused = sealed
      return
    }
    if (first === undefined)
      storeText(update, { contact: to, mid: sealed.mid, text, timer: update.contact.timer })
    first ??= sealed.mid
    startPostQuantumStep(update)
  })
  if (first === undefined)
    return refused === undefined ? keepUnsealed(state, to, text, input) : noChange(refused)
  return toJointDecision(state, updates, { kind: "posted", mid: first })
}

function storeText(
  update: DeviceUpdate,
  text: Pick<MessageRecord, "contact" | "mid" | "text" | "timer">,
): void {
  update.changes.push(ownMessage(text, update.input))
  update.effects.push({ kind: "message", contact: text.contact, mid: text.mid })
}

/** The devices of a backup have no session yet: once one has, the text is sent in it like the others that wait. */
function keepUnsealed(
  state: EngineState,
  to: ContactId,
  text: string,
  input: StepInput,
): Decision<EnqueueResult> {
  const contact = state.contacts.get(to)
  if (contact === undefined || !devicesOf(state, to).some(({ state }) => state === "recovering"))
    return noChange({ kind: "refused", why: "no-session" })
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
  device: DeviceId,
  message: MessageRecord,
  input: StepInput,
): Decision<EnqueueResult> {
  const { mid, text, sentAt } = message
  const update = updateFor(state, device, input)
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

function sealText(update: DeviceUpdate, { text, time, originalId }: TextContent): SealResult {
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
  to: DeviceId,
  frame: Frame,
  input: StepInput,
): Decision<boolean> {
  const update = updateFor(state, to, input)
  if (update === undefined) return noChange(false)
  if (sealAndEnqueue(update, { kind: "passing", frames: [frame] }).kind === "refused") return noChange(false)
  return toDecision(state, update, true)
}

/** Sends a typing notice to all devices of a contact; it may get lost. */
export function enqueueTyping(
  state: EngineState,
  to: ContactId,
  typing: boolean,
  input: StepInput,
): Decision<null> {
  const updates = updateEach(state, to, input, (update) => {
    sealAndEnqueue(update, { kind: "passing", frames: [{ kind: "typing", typing }] })
  })
  return toJointDecision(state, updates, null)
}

/** Sends the waiting receipts in frames of their own. */
export function enqueueReceipts(state: EngineState, to: DeviceId, input: StepInput): Decision<null> {
  const update = updateFor(state, to, input)
  // What waits for a comparison goes out after it.
  if (update === undefined || sendableTo(update) !== "everything") return noChange(null)
  while (update.receipts.length > 0) {
    // A full chain continues when the peer sends; the peer's retransmissions ask for these receipts again.
    if (sealAndEnqueue(update, { kind: "passing", frames: [] }).kind === "refused") update.receipts = []
  }
  return toDecision(state, update, null)
}

/** Starts a post-quantum step if one is due; a session that cannot send now tries again later. */
export function startPostQuantumStep(update: DeviceUpdate): void {
  const started = startStep(update.session, seconds(update.input), update.input.random)
  if (started === undefined) return
  const before = update.session
  update.session = started.next
  if (sealAndEnqueue(update, { kind: "control", frames: [started.frame] }).kind === "refused")
    update.session = before
}
