import { startStep } from "../../session/pq.ts"
import { seal } from "../../session/ratchet.ts"
import type { ContactId, ContactRecord, MessageRecord, OutgoingRecord } from "../../store/records.ts"
import { LIST_MAX, SHORT_MID_BYTES, type Frame } from "../../wire/frame.ts"
import { ID_BYTES, inboxTopic, type Inbox } from "../../wire/topics.ts"
import type { EngineState } from "../state/engine-state.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import { updateFor, seconds, toDecision, type ContactUpdate, type StepInput } from "../state/update.ts"
import { MESSAGE_ID_BYTES } from "../state/message-id.ts"

export type SealRefusal = "waiting-for-peer" | "chain-full" | "too-long"

type SealResult =
  | { readonly kind: "posted"; readonly mid: Uint8Array }
  | { readonly kind: "refused"; readonly why: SealRefusal }

/** What goes into the outbox, and the text that it carries where it carries one. */
type Outgoing = {
  readonly kind: OutgoingRecord["kind"]
  readonly frames: readonly Frame[]
  /** The message whose text it is; undefined for a text that is new, whose message id is that of the frame. */
  readonly text?: { readonly mid: Uint8Array | undefined; readonly number: number }
}

/** Seals the frames into the outbox, with waiting receipts riding along. On a refusal the draft is as before. */
export function sealAndEnqueue(update: ContactUpdate, outgoing: Outgoing): SealResult {
  const { frames } = outgoing
  const piggybacked = update.receipts.slice(0, LIST_MAX)
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

function sealWithoutReceipts(update: ContactUpdate, { kind, frames, text }: Outgoing): SealResult {
  const { contact, input } = update
  const sealed = seal(update.session, frames, input.random)
  if (sealed.kind === "refused") return sealed
  update.session = sealed.next
  const { wire, mid } = sealed
  const carries = text && { mid: text.mid ?? mid, number: text.number }
  enqueue(update, { contact: contact.id, kind, topic: peerTopic(contact), wire, mid, carries })
  return { kind: "posted", mid }
}

/** Puts finished bytes into the outbox, due at once. */
export function enqueue(
  update: ContactUpdate,
  entry: Pick<OutgoingRecord, "contact" | "kind" | "topic" | "wire" | "mid" | "carries">,
): void {
  const { now } = update.input
  update.changes.push({
    kind: "outgoing",
    outgoing: {
      ...entry,
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

type EnqueueResult =
  /** `mid` is the message's id, 16 bytes. */
  { kind: "posted"; mid: Uint8Array } | { kind: "refused"; why: SealRefusal | "no-session" }

/** A text of ours: kept, sealed, in the outbox. `text` is 1 to 65,367 bytes of UTF-8. */
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

/** A contact of a backup has no session yet: when it has one, the text goes in it like the others that wait. */
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

/** A text that an earlier session sealed and nobody acknowledged, sealed again under its old name [W-29]. */
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

export function timerOf({ timer, timerSetAt }: ContactRecord): Frame {
  return { kind: "timer", seconds: timer, setAt: timerSetAt }
}

/** A frame by itself that may get lost. Whether the session could seal it. */
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

/** The receipts that wait, in frames of their own. */
export function enqueueReceipts(state: EngineState, to: ContactId, input: StepInput): Decision<null> {
  const update = updateFor(state, to, input)
  if (update === undefined) return noChange(null)
  while (update.receipts.length > 0) {
    // A chain that is full goes on when the peer speaks; its own resends will ask again for these receipts.
    if (sealAndEnqueue(update, { kind: "passing", frames: [] }).kind === "refused") update.receipts = []
  }
  return toDecision(state, update, null)
}

/** Starts a post-quantum step where one is due; a session that cannot send now is asked again later. */
export function startPostQuantumStep(update: ContactUpdate): void {
  const started = startStep(update.session, seconds(update.input), update.input.random)
  if (started === undefined) return
  const before = update.session
  update.session = started.next
  if (sealAndEnqueue(update, { kind: "control", frames: [started.frame] }).kind === "refused")
    update.session = before
}

function peerTopic(contact: ContactRecord): string {
  return inboxTopic(splitInbox(contact.peerInbox))
}

export function joinInbox(inbox: Inbox): Uint8Array {
  return new Uint8Array(Buffer.concat([inbox.device, inbox.mailbox]))
}

export function splitInbox(bytes: Uint8Array): Inbox {
  return { device: bytes.slice(0, ID_BYTES), mailbox: bytes.slice(ID_BYTES) }
}
