import { startStep } from "../../session/pq.ts"
import type { ConversationRecord, DeviceRecord } from "../../store/records.ts"
import type { Frame } from "../../wire/frame.ts"
import { MESSAGE_ID_BYTES } from "../../wire/sizes.ts"
import { textDigest } from "../../wire/text-digest.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { directWith } from "../state/conversations.ts"
import { devicesOf } from "../contacts/devices.ts"
import { toJointDecision, updateEach } from "../state/each-device.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import { updateFor, seconds, toDecision, type DeviceUpdate, type StepInput } from "../state/update.ts"
import { sendableTo } from "../state/send-gate.ts"
import { timerOf, timerOfText } from "../contacts/timers.ts"
import { hasUnsealed, isUnsealed, unsealedEntry } from "../state/unsealed.ts"
import { countOfKind } from "../state/outgoing-index.ts"
import { hasRoom } from "./deliveries.ts"
import { sealAndEnqueue, type SealRefusal, type SealResult } from "../state/outgoing.ts"
import type { NewMessage, StoredMessage } from "../../store/message-records.ts"
import type { ContactId, DeviceId } from "../../store/ids.ts"

/** With 64 receipts each; more wait only for a broker that takes nothing, and a peer could go on asking [D-121]. */
const PASSING_MAX = 64

export type Refused = { kind: "refused"; why: SealRefusal | "no-session" | "older-first" }

type EnqueueResult = { kind: "posted"; id: Uint8Array } | Refused

/** A text of ours before it is sent: 1 to 65,276 bytes of UTF-8. */
export type Draft = Pick<NewMessage, "text" | "replyTo">

/**
 * Stores a text of ours and seals it for every device of the contact. For a device that cannot have it now it waits, if
 * another one can or will.
 */
export function enqueueText(
  state: EngineState,
  to: ContactId,
  draft: Draft,
  input: StepInput,
): Decision<EnqueueResult> {
  const conversation = directWith(state, to)
  const message = ownMessage(conversation, draft, input)
  const results = new Map<DeviceId, SealResult>()
  const updates = updateEach(state, to, input, (update) => {
    if (!isReady(state, update.device) || hasUnsealed(state, update.device.id)) return
    const sealed = sealText(update, message)
    results.set(update.device.id, sealed)
    if (sealed.kind === "posted") startPostQuantumStep(update)
  })
  const devices = devicesOf(state, to).filter((device) => mayHave(state, device))
  const isSealed = [...results.values()].some(({ kind }) => kind === "posted")
  if (!isSealed && !devices.some((device) => isWithoutSession(state, device)))
    return noChange(refusal(results))
  const waiting = devices.filter(({ id }) => results.get(id)?.kind !== "posted")
  const { commit, effects } = toJointDecision(state, updates, null)
  const seq = updates.at(-1)?.seq ?? state.nextOutgoing
  const recipients = [{ contact: to, state: "queued", at: input.now }] as const
  return {
    commit: [
      { kind: "message", message, recipients },
      ...commit,
      ...unsealedChanges(waiting, message.id, seq, input),
    ],
    effects: [{ kind: "message", conversation: conversation.id, author: null, id: message.id }, ...effects],
    result: { kind: "posted", id: message.id },
  }
}

/** A device that sends to another device of ours gets nothing, and one that is gone no more than its queue holds. */
export function mayHave(state: EngineState, device: DeviceRecord): boolean {
  return device.movedAt === 0 && hasRoom(state, device)
}

/** A device that the text can be sealed for now. */
function isReady(state: EngineState, device: DeviceRecord): boolean {
  return mayHave(state, device) && !isUnfinished(state, device.id)
}

/**
 * From a backup, or new and not used before its account is verified: then the text is sealed in its session like the others
 * that wait [D-71].
 */
export function isWithoutSession(state: EngineState, { id, state: deviceState }: DeviceRecord): boolean {
  return (deviceState === "recovering" && !state.sessions.has(id)) || isUnfinished(state, id)
}

export function refusal(results: ReadonlyMap<DeviceId, SealResult>): Refused {
  for (const result of results.values()) if (result.kind === "refused") return result
  return { kind: "refused", why: "older-first" }
}

function unsealedChanges(
  devices: readonly DeviceRecord[],
  id: Uint8Array,
  seq: number,
  { now }: StepInput,
): Change[] {
  return devices.map((device, n) => ({
    kind: "outgoing",
    outgoing: unsealedEntry({ device: device.id, seq: seq + n, id, now }),
  }))
}

function ownMessage(
  { id: conversation, timer }: ConversationRecord,
  { text, replyTo }: Draft,
  input: StepInput,
): NewMessage {
  const id = input.random(MESSAGE_ID_BYTES)
  const written = { id, text, sentAt: input.wall }
  const ours = { author: null, kind: "text", state: "queued", shown: true, expiresAt: 0 } as const
  const digest = textDigest(textFrame(written))
  return { ...ours, ...written, conversation, timer, storedAt: input.now, digest, replyTo }
}

type Written = Pick<NewMessage, "id" | "text" | "sentAt" | "replyTo" | "timer">

function textFrame({
  id,
  text,
  sentAt,
}: Omit<Written, "replyTo" | "timer">): Extract<Frame, { kind: "text" }> {
  return { kind: "text", id, time: sentAt, text: new Uint8Array(Buffer.from(text, "utf8")) }
}

/**
 * Seals a text that waited for a session of its device: it is the same text, also if an earlier session sealed it [D-34].
 * False if the session cannot seal it now. A text that was deleted here goes nowhere.
 */
export function sealWaiting(
  state: EngineState,
  seq: number,
  message: StoredMessage | undefined,
  input: StepInput,
): Decision<boolean> {
  const seal: SealEntry | undefined =
    message &&
    ((update, delivered) => {
      update.changes.push(...newRecipient(update, message))
      return sealText(update, message, delivered)
    })
  return sealWaitingEntry(state, seq, seal, input)
}

type SealEntry = (update: DeviceUpdate, delivered: boolean) => SealResult

/** Seals what waited in the outbox for a session of its device; without `seal` it is taken out. */
export function sealWaitingEntry(
  state: EngineState,
  seq: number,
  seal: SealEntry | undefined,
  input: StepInput,
): Decision<boolean> {
  const entry = state.outgoing.get(seq)
  if (entry === undefined || !isUnsealed(entry)) return noChange(true)
  const done: Change = { kind: "outgoing-done", seq }
  if (seal === undefined) return { commit: [done], effects: [], result: true }
  const update = updateFor(state, entry.device, input)
  if (update === undefined || isUnfinished(state, entry.device)) return noChange(false)
  update.changes.push(done)
  if (seal(update, entry.delivered).kind === "refused") return noChange(false)
  return toDecision(state, update, true)
}

/** Another account took the place of the one that the text was sent to. */
function newRecipient(
  { contact: { id: contact }, input }: DeviceUpdate,
  { conversation, id, recipients }: StoredMessage,
): Change[] {
  if (recipients.some((known) => known.contact === contact)) return []
  return [{ kind: "recipient", conversation, id, contact, at: input.now }]
}

/** A text that its device had acknowledged and lost: no person waits for it [D-133]. */
export function sealAgain(update: DeviceUpdate, text: Written): SealResult {
  return sealFrame(update, text, { frame: { ...textFrame(text), kind: "resend" }, delivered: true })
}

function sealText(update: DeviceUpdate, text: Written, delivered = false): SealResult {
  return sealFrame(update, text, { frame: textFrame(text), delivered })
}

function sealFrame(
  update: DeviceUpdate,
  text: Written,
  { frame, delivered }: { readonly frame: Frame; readonly delivered: boolean },
): SealResult {
  const { conversation, textNumbers } = update
  const number = textNumbers.sent
  const frames: Frame[] = [frame, { kind: "number", number }]
  if (text.replyTo !== undefined) frames.push({ kind: "reply", ...text.replyTo })
  if (text.timer > 0) frames.push(timerOfText(text, conversation))
  const sealed = sealAndEnqueue(update, { kind: "text", frames, carries: { id: text.id, number }, delivered })
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
  if (update === undefined || isUnfinished(state, to)) return noChange(false)
  if (sealAndEnqueue(update, { kind: "passing", frames: [frame] }).kind === "refused") return noChange(false)
  return toDecision(state, update, true)
}

/** Tells a device with a new session how the timer is set: the frame that did may have ended with the session before. */
export function enqueueTimer(state: EngineState, to: DeviceId, input: StepInput): Decision<null> {
  const update = updateFor(state, to, input)
  if (update === undefined || update.conversation.timerSetAt === 0 || isUnfinished(state, to))
    return noChange(null)
  const sealed = sealAndEnqueue(update, { kind: "control", frames: [timerOf(update.conversation)] })
  return sealed.kind === "refused" ? noChange(null) : toDecision(state, update, null)
}

/** Sends a typing notice to all devices of a contact; it may get lost. */
export function enqueueTyping(
  state: EngineState,
  to: ContactId,
  typing: boolean,
  input: StepInput,
): Decision<null> {
  const updates = updateEach(state, to, input, (update) => {
    if (isUnfinished(state, update.device.id)) return
    sealAndEnqueue(update, { kind: "passing", frames: [{ kind: "typing", typing }] })
  })
  return toJointDecision(state, updates, null)
}

/** Sends the waiting receipts in frames of their own. */
export function enqueueReceipts(state: EngineState, to: DeviceId, input: StepInput): Decision<null> {
  const update = updateFor(state, to, input)
  // What waits for a comparison goes out after it.
  if (update === undefined || sendableTo(update) !== "everything" || hasManyReceipts(state, to))
    return noChange(null)
  while (update.receipts.length > 0) {
    // A full chain continues when the peer sends; the peer's retransmissions ask for these receipts again.
    if (sealAndEnqueue(update, { kind: "passing", frames: [] }).kind === "refused") update.receipts = []
  }
  return toDecision(state, update, null)
}

/** Whether receipts for the device wait to be published, as many as are of use: its repeats ask for the others again. */
export function hasManyReceipts(state: EngineState, device: DeviceId): boolean {
  return countOfKind(state, device, "passing") >= PASSING_MAX
}

/** Starts a post-quantum step if one is due; a session that cannot send now tries again later. */
export function startPostQuantumStep(update: DeviceUpdate): void {
  // Making a key is work, and this is tried with every frame.
  if (sendableTo(update) !== "everything") return
  const started = startStep(update.session, seconds(update.input), update.input.random)
  if (started === undefined) return
  const before = update.session
  update.session = started.next
  if (sealAndEnqueue(update, { kind: "control", frames: [started.frame] }).kind === "refused")
    update.session = before
}
