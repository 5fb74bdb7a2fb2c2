import { equal } from "../../crypto/bytes.ts"
import { onPqFrame } from "../../session/pq.ts"
import { open, type Opened } from "../../session/ratchet.ts"
import { frameRule, LIST_MAX, SHORT_MID_BYTES, type Frame } from "../../wire/frame.ts"
import { shellCommand } from "../../shell-command.ts"
import { readText } from "../../wire/text.ts"
import { textDigest } from "../../wire/text-digest.ts"
import type { Event } from "../state/events.ts"
import type { EngineState } from "../state/engine-state.ts"
import { aboutContact } from "../contacts/describe.ts"
import { freeName, offeredName, placeholderName } from "../contacts/contacts.ts"
import { noChange, NOT_RENAMED, type Change, type Decision } from "../state/decision.ts"
import { sendableTo } from "../state/send-gate.ts"
import {
  updateFor,
  seconds,
  toDecision,
  wallSeconds,
  type DeviceUpdate,
  type StepInput,
} from "../state/update.ts"
import { confirm } from "../handshake/confirmation.ts"
import { openCrossed } from "../handshake/crossed-session.ts"
import { isKnownInit, onKnownInit, rememberInits, supersededIn } from "../handshake/init-memory.ts"
import { applyIntro, applyIntroAsk, applyIntroYes } from "./apply-introduction.ts"
import { applyChange } from "./apply-change.ts"
import { applyTopic, applyTopicOk } from "./apply-topic.ts"
import { applyAck, applyAgain, applyRead } from "./apply-receipts.ts"
import { leavesOut } from "../contacts/left-out.ts"
import { noteRenaming } from "../contacts/numbered-name.ts"
import { addMergedMessage, addSystemMessage } from "../contacts/system-messages.ts"
import { messageId } from "../state/message-id.ts"
import { hasManyReceipts, startPostQuantumStep } from "./enqueue.ts"
import { framesToApply, isKnown, mustWait } from "./frame-gate.ts"
import { applyGone, insertText, passNumber } from "./reorder-buffer.ts"
import { rememberFrame, findReplay } from "./replay-cache.ts"
import { applyRejected } from "./rejected-words.ts"
import { applyTimer } from "../contacts/timers.ts"
import { sealAndEnqueue, sealAnswer } from "../state/outgoing.ts"
import { isOfAnother, withRecoveryBundle } from "../handshake/hello.ts"
import { applyChain, applyChainAsk, noteJudged } from "./apply-chain.ts"
import { shownIn } from "../accounts/judge-shown.ts"
import { endWithLinks } from "../accounts/learn-removal.ts"
import { endDevice, notShown } from "../accounts/unfinished.ts"
import { shownBy } from "../contacts/shown-account.ts"
import { enqueueUnsealedResend } from "../state/unsealed.ts"
import { noteHave } from "../handshake/have.ts"
import { noteResent } from "./note-resent.ts"
import { openCommitment, takeOpening, takeShare } from "../handshake/shares.ts"
import { endAfterWrongOpening } from "../handshake/wrong-opening.ts"
import { dropFrame, duplicate, FRAME_TRANSITIONS, type ReceiveResult } from "../state/receive-result.ts"
import type { DeviceId } from "../../store/ids.ts"
import type { DeviceRecord } from "../../store/records.ts"

const { arrived } = FRAME_TRANSITIONS

/** With whether its device may still have a key of a post-quantum step answered; each call counts as one [D-124]. */
export type FrameInput = StepInput & { readonly mayAnswerKey: () => boolean }

/** Applies a frame from a device's mailbox. A refusal changes only the count of dropped frames. */
export function openFrame(
  state: EngineState,
  from: DeviceId,
  wire: Uint8Array,
  input: FrameInput,
): Decision<ReceiveResult> {
  const update = updateFor(state, from, input)
  if (update === undefined || update.contact.blocked) return dropFrame("blocked")
  const { receiving } = update.session
  const opened = openEither(state, update, wire)
  if (opened.kind === "refused") {
    return opened.why === "unknown-tag" ? again(state, update, wire) : dropFrame(opened.why)
  }
  const before = update.device
  update.session = opened.next
  if (!takeOpening(update, opened.frames)) return endAfterWrongOpening(state, update)
  if (mustWait(state, update, opened.frames)) return dropFrame("withheld")
  confirm(state, update, opened.newChain)
  const isLeftOut = leavesOut(state, update, { ...opened, overtaken: opened.next.receiving === receiving })
  const { mid, frames } = opened
  const { mayAnswerKey } = input
  const context: FrameContext = { state, update, before, mid, frames, isLeftOut, mayAnswerKey }
  for (const frame of framesToApply(state, update, opened.frames)) applyFrame(context, frame)
  if (update.ended !== undefined) return endSession(state, update, update.ended)
  const isOwed = opened.frames.some(({ kind }) => frameRule(kind).acknowledged)
  if (isOwed) oweReceipt(state, update, opened.mid)
  openCommitment(update, before, opened.mid)
  // A full frame of receipts leaves at once.
  if (update.receipts.length >= LIST_MAX && !hasManyReceipts(state, from))
    sealAndEnqueue(update, { kind: "passing", frames: [] })
  update.changes.push(remembered(context, isOwed))
  startPostQuantumStep(update)
  update.effects.push({ kind: "received", device: from, receiptsWait: update.receipts.length > 0 })
  return toDecision(state, update, { kind: arrived["it opens"] })
}

/** In the present session, or in that of our INIT which theirs crossed. */
function openEither(state: EngineState, update: DeviceUpdate, wire: Uint8Array): Opened {
  const opened = open(update.session, wire, seconds(update.input))
  const isUnknown = opened.kind === "refused" && opened.why === "unknown-tag"
  return (isUnknown ? openCrossed(state, update, wire) : undefined) ?? opened
}

/** Everything else that the frame would have changed is dropped with the session, but for links that removed the device [D-72]. */
function endSession(
  state: EngineState,
  { device, input, learned }: DeviceUpdate,
  why: string,
): Decision<ReceiveResult> {
  const { commit, effects } =
    learned === undefined ? endDevice(state, device, why, input) : endWithLinks(state, device, learned, input)
  return { commit, effects, result: { kind: arrived["it opens"] } }
}

/** While receipts cannot leave only some wait here: the peer repeats its frames, and each repeat asks for one again. */
function oweReceipt(state: EngineState, update: DeviceUpdate, mid: Uint8Array): void {
  const { receipts, device } = update
  const mayLeave = sendableTo(update) === "everything" && !hasManyReceipts(state, device.id)
  if (!mayLeave && receipts.length >= LIST_MAX) return
  const mid8 = mid.slice(0, SHORT_MID_BYTES)
  if (!receipts.some((waiting) => equal(waiting, mid8))) update.receipts = [...receipts, mid8]
}

/** By which a repetition is recognised: its key is used up. */
function remembered({ state, update, mid, frames }: FrameContext, isOwed: boolean): Change {
  const { device, input } = update
  if (!frames.some(({ kind }) => kind === "number"))
    return rememberFrame(state, device.id, isOwed ? "owed" : "passing", mid)
  const frame = { device: device.id, mid: mid.slice(0, SHORT_MID_BYTES), at: input.now }
  return { kind: "received-frame", frame }
}

/** A text that is already on disk arrived again: its receipt was lost, so it is sent again. */
export function repeatReceipt(
  state: EngineState,
  to: DeviceId,
  mid: Uint8Array,
  input: StepInput,
): Decision<ReceiveResult> {
  const update = updateFor(state, to, input)
  if (update === undefined) return dropFrame("blocked")
  oweReceipt(state, update, mid)
  update.effects.push({ kind: "received", device: to, receiptsWait: true })
  return toDecision(state, update, { kind: arrived["it came before"] })
}

export type FrameContext = {
  readonly state: EngineState
  readonly update: DeviceUpdate
  /** Before this message confirmed it. */
  readonly before: DeviceRecord
  readonly mid: Uint8Array
  /** All frames of the message. */
  readonly frames: readonly Frame[]
  /** It was written before its author was unblocked [D-143]. */
  readonly isLeftOut: boolean
  readonly mayAnswerKey: () => boolean
}

function again(state: EngineState, update: DeviceUpdate, wire: Uint8Array): Decision<ReceiveResult> {
  const { device, input } = update
  const mid = messageId(wire)
  const replay = findReplay(state, device.id, mid)
  if (replay === "owed") return repeatReceipt(state, device.id, mid, input)
  if (isKnownInit(state, device.id, wire)) return onKnownInit(state, device.id)
  if (replay === "passing") return duplicate(device.id)
  return noChange({ kind: arrived["it does not open"], why: "unknown-tag" })
}

function applyFrame(context: FrameContext, frame: Frame): void {
  const { state, update } = context
  switch (frame.kind) {
    case "number":
      applyNumber(context, frame.number)
      return
    case "ack":
    case "read":
      applyReceipt(state, update, frame)
      return
    case "again":
      applyAgain(state, update, frame.numbers)
      return
    case "gone":
      applyGone(update, state, frame)
      return
    case "hello":
      applyHello(context, frame)
      return
    case "chain":
    case "chain-ask":
      applyLinks(context, frame)
      return
    case "rejected":
      applyRejected(state, update)
      return
    case "recovery-bundle":
      update.device = withRecoveryBundle(update.device, frame.bundle, wallSeconds(update.input))
      return
    case "pq-ek":
    case "pq-ct":
      applyPostQuantum(context, frame)
      return
    case "topic":
    case "topic-ok":
      applyMailbox(state, update, frame)
      return
    case "timer":
      applyTimer(update, frame)
      return
    case "typing":
      emit(update, { kind: "typing", ...aboutContact(update.contact), typing: frame.typing })
      return
    case "moved":
      applyMoved(update, frame.at)
      return
    case "intro-ask":
    case "intro-yes":
    case "intro":
      applyIntroduction(state, update, frame)
      return
    case "edit":
    case "delete":
    case "reaction":
      if (!context.isLeftOut) applyChange(state, update, frame)
      return
    case "unknown":
      if (!context.isLeftOut) noteUnknown(context, frame)
      return
    case "text":
    case "resend":
    case "have":
    case "reply":
    case "open":
    case "superseded-inits":
    case "sig":
    case "nop":
      return
  }
}

function applyLinks(context: FrameContext, frame: Extract<Frame, { kind: "chain" | "chain-ask" }>): void {
  if (frame.kind === "chain") applyChain(context, frame)
  else applyChainAsk(context.state, context.update, frame)
}

function applyMailbox(
  state: EngineState,
  update: DeviceUpdate,
  { kind, mailbox }: Extract<Frame, { kind: "topic" | "topic-ok" }>,
): void {
  if (kind === "topic") applyTopic(state, update, mailbox)
  else applyTopicOk(state, update, mailbox)
}

function applyReceipt(
  state: EngineState,
  update: DeviceUpdate,
  frame: Extract<Frame, { kind: "ack" | "read" }>,
): void {
  if (frame.kind === "ack") for (const mid8 of frame.mids) applyAck(state, update, mid8)
  else for (const id of frame.ids) applyRead(state, update, id)
}

function applyIntroduction(
  state: EngineState,
  update: DeviceUpdate,
  frame: Extract<Frame, { kind: "intro-ask" | "intro-yes" | "intro" }>,
): void {
  if (frame.kind === "intro-ask") applyIntroAsk(state, update, frame)
  else if (frame.kind === "intro-yes") applyIntroYes(state, update, frame)
  else applyIntro(state, update, frame)
}

/**
 * The number counts no matter what else the message holds. What this version cannot show leaves no gap: its receiver is told in
 * another way [W-28].
 */
function applyNumber({ state, update, frames, isLeftOut }: FrameContext, number: number): void {
  const resent = find(frames, "resend")
  const frame = isLeftOut ? undefined : (find(frames, "text") ?? resent)
  const text = frame && readText(frame.text)
  if (frame === undefined || text === undefined) {
    if (frame !== undefined) noteUnsupported({ state, update }, "a message that is not text")
    passNumber(update, state, number)
    return
  }
  const timer = find(frames, "timer")?.seconds ?? 0
  const { id, time: sentAt } = frame
  update.effects.push({ kind: "dated", theirs: sentAt })
  const replyTo = find(frames, "reply")
  if (resent !== undefined) noteResent(state, update)
  insertText(update, state, number, { id, digest: textDigest(frame), text, timer, sentAt, replyTo })
}

function find<Kind extends Frame["kind"]>(
  frames: readonly Frame[],
  kind: Kind,
): Extract<Frame, { kind: Kind }> | undefined {
  return frames.find((frame): frame is Extract<Frame, { kind: Kind }> => frame.kind === kind)
}

/** Only the first frame of the other side counts: it names the account [W-21] [D-70]. */
function applyHello(
  { state, update, before: known, frames }: FrameContext,
  hello: Extract<Frame, { kind: "hello" }>,
): void {
  const { contact, device } = update
  const { name: offered, recoveryBundle } = hello
  const before = shownBy(state, device.id)
  if (before !== undefined && before.head.length > 0) return
  if (isOfAnother(device.key, recoveryBundle)) {
    update.ended = "sent a recovery bundle of another device"
    return
  }
  rememberInits(state, update, supersededIn(frames))
  const unnamed = contact.name === placeholderName(device.key)
  const wanted = unnamed ? offeredName(offered) : undefined
  const name = wanted === undefined ? contact.name : freeName(state, wanted, contact.id)
  if (name !== contact.name) update.contact = { ...contact, name }
  update.device = withRecoveryBundle(device, recoveryBundle, wallSeconds(update.input))
  const shown = shownIn(hello, find(frames, "chain"))
  const isAdmitted = noteJudged(state, update, shown, before ?? notShown(update.input.now, 0))
  takeShare(update, hello)
  const isAnswer = known.state === "recovering"
  applyHave(state, update, frames, isAnswer)
  if (!isAdmitted || isAnswer) return
  const renaming = wanted === undefined ? NOT_RENAMED : noteRenaming(state, update, wanted)
  update.effects.push({ kind: "welcomed", device: device.id, renaming })
}

/** Only beside the HELLO that answers a recovery of ours [W-72]. */
function applyHave(
  state: EngineState,
  update: DeviceUpdate,
  frames: readonly Frame[],
  isAnswer: boolean,
): void {
  noteHave(state, update, frames, isAnswer)
  if (isAnswer) enqueueUnsealedResend(update)
}

function applyPostQuantum(
  { state, update, mayAnswerKey }: FrameContext,
  frame: Extract<Frame, { kind: "pq-ek" | "pq-ct" }>,
): void {
  if (frame.kind === "pq-ek" && !mayAnswerKey()) return
  const before = update.session
  const { next, reply } = onPqFrame(before, frame, seconds(update.input), update.input.random)
  update.session = next
  if (reply === undefined) return
  // Without the answer the peer asks again; a secret that was not sent must not stay in the session.
  if (sealAnswer(state, update, { kind: "pq-ct", frames: [reply] }).kind === "refused")
    update.session = before
}

/** It sends to another machine with our key now. That choice is its own, so only this device is affected. */
function applyMoved(update: DeviceUpdate, at: number): void {
  if (update.device.movedAt !== 0) return
  update.device = { ...update.device, movedAt: Math.max(at, 1) }
  const { name } = update.contact
  const how = shellCommand`mqttchat reset ${name}`
  addSystemMessage(
    update,
    `${name} now sends to another device of yours; nothing more is sent from this one. To continue here instead: ${how}`,
  )
}

/** Once for a message, however many there are. */
function noteUnknown({ state, update, frames }: FrameContext, frame: Frame): void {
  if (frames.find(({ kind }) => kind === frame.kind) !== frame) return
  noteUnsupported({ state, update }, "something that this version of mqttchat does not support")
}

/** A line cannot be marked as a text is, so a key that was not compared causes none [D-43]. */
function noteUnsupported({ state, update }: Pick<FrameContext, "state" | "update">, what: string): void {
  if (isKnown(state, update)) addMergedMessage(update, `${update.contact.name} sent ${what}`)
}

function emit(update: DeviceUpdate, event: Event): void {
  update.effects.push({ kind: "event", event })
}
