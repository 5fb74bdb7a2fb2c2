import { startStep } from "../../session/pq.ts"
import type { ContactId, ContactRecord, DeviceId, MessageRecord, NewMessage } from "../../store/records.ts"
import type { Frame } from "../../wire/frame.ts"
import { MESSAGE_ID_BYTES } from "../../wire/sizes.ts"
import { textDigest } from "../../wire/text-digest.ts"
import { devicesOf } from "../contacts/devices.ts"
import { toJointDecision, updateEach } from "../state/each-device.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Decision } from "../state/decision.ts"
import { updateFor, seconds, toDecision, type DeviceUpdate, type StepInput } from "../state/update.ts"
import { sendableTo } from "../state/send-gate.ts"
import { timerOf } from "../contacts/timers.ts"
import { sealAndEnqueue, type SealRefusal, type SealResult } from "../state/outgoing.ts"

type EnqueueResult = { kind: "posted"; id: Uint8Array } | { kind: "refused"; why: SealRefusal | "no-session" }

/** Stores a text of ours, seals it and puts it into the outbox. `text` is 1 to 65,276 bytes of UTF-8. */
export function enqueueText(
  state: EngineState,
  to: ContactId,
  text: string,
  input: StepInput,
): Decision<EnqueueResult> {
  const contact = state.contacts.get(to)
  if (contact === undefined) return noChange({ kind: "refused", why: "no-session" })
  const message = ownMessage(contact, text, input)
  const results: SealResult[] = []
  const updates = updateEach(state, to, input, (update) => {
    if (update.device.movedAt > 0) return
    const sealed = sealText(update, message)
    if (sealed.kind === "posted") {
      if (!results.some(wasSealed)) storeText(update, message)
      startPostQuantumStep(update)
    }
    results.push(sealed)
  })
  if (results.some(wasSealed)) return toJointDecision(state, updates, { kind: "posted", id: message.id })
  const [refused] = results
  return refused?.kind === "refused" ? noChange(refused) : keepUnsealed(state, message)
}

function wasSealed({ kind }: SealResult): boolean {
  return kind === "posted"
}

function storeText(update: DeviceUpdate, message: NewMessage): void {
  update.changes.push({ kind: "message", message })
  update.effects.push({ kind: "message", contact: message.contact, mine: true, id: message.id })
}

/** The devices of a backup have no session yet: once one has, the text is sent in it like the others that wait. */
function keepUnsealed(state: EngineState, message: NewMessage): Decision<EnqueueResult> {
  const { contact, id } = message
  if (!devicesOf(state, contact).some(({ state }) => state === "recovering"))
    return noChange({ kind: "refused", why: "no-session" })
  return {
    commit: [{ kind: "message", message }],
    effects: [{ kind: "message", contact, mine: true, id }],
    result: { kind: "posted", id },
  }
}

function ownMessage({ id: contact, timer }: ContactRecord, text: string, input: StepInput): NewMessage {
  const id = input.random(MESSAGE_ID_BYTES)
  const written = { id, text, sentAt: input.now }
  const mine = { mine: true, kind: "text", state: "queued", shown: true, expiresAt: 0 } as const
  return { ...mine, ...written, contact, timer, storedAt: input.now, digest: textDigest(textFrame(written)) }
}

type Written = Pick<NewMessage, "id" | "text" | "sentAt">

function textFrame({ id, text, sentAt }: Written): Extract<Frame, { kind: "text" }> {
  return { kind: "text", id, time: sentAt, text: new Uint8Array(Buffer.from(text, "utf8")) }
}

/** Seals again a text that an earlier session sealed and the peer has not acknowledged: it is the same text [D-34]. */
export function reencryptText(
  state: EngineState,
  device: DeviceId,
  message: MessageRecord,
  input: StepInput,
): Decision<EnqueueResult> {
  const { id } = message
  const update = updateFor(state, device, input)
  if (update === undefined) return noChange({ kind: "refused", why: "no-session" })
  const sealed = sealText(update, message)
  if (sealed.kind === "refused") return noChange(sealed)
  return toDecision(state, update, { kind: "posted", id })
}

function sealText(update: DeviceUpdate, text: Written): SealResult {
  const { contact, textNumbers } = update
  const number = textNumbers.sent
  const frames: Frame[] = [textFrame(text), { kind: "number", number }]
  if (contact.timer > 0) frames.push(timerOf(contact))
  const sealed = sealAndEnqueue(update, { kind: "text", frames, carries: { id: text.id, number } })
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
