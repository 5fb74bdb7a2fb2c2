import { fromBase64url, toHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { INIT_BYTES } from "../../session/handshake.ts"
import { expects } from "../../session/locate-keys.ts"
import type { DebugFields as FieldsOf } from "../../debug/debug.ts"
import type { DeviceRecord, OpenBundleRecord } from "../../store/records.ts"
import { SHORT_MID_BYTES } from "../../wire/frame.ts"
import { LINK_REQUEST_BYTES, openLinkRequest, sealLinkAnswer } from "../../wire/pairing-link.ts"
import { ID_BYTES, inboxTopic, parseTopic } from "../../wire/topics.ts"
import { acceptHandshake, type AcceptedHandshake } from "../handshake/responder.ts"
import { contactOf } from "../contacts/devices.ts"
import type { EngineState } from "../state/engine-state.ts"
import { closing, offeredTo, readBundleSecrets, requestedFrom } from "../handshake/bundles.ts"
import { noChange, type Decision } from "../state/decision.ts"
import { seconds, stepInput } from "../state/update.ts"
import { isKnownInit, onKnownInit } from "../handshake/init-memory.ts"
import { answerSuperseded } from "../handshake/superseded-session.ts"
import { openFrame, repeatReceipt } from "./apply-frame.ts"
import type { UnverifiedBudget } from "./unverified-budget.ts"
import { newestTexts } from "../handshake/have.ts"
import { selfOf } from "../handshake/hello.ts"
import type { ReturningDevices } from "./returning-devices.ts"
import { rememberFrame } from "./replay-cache.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import { INITS, KEM_ANSWERS, LINK_REQUESTS, UNMATCHED_FRAMES, type Limits } from "../state/limits.ts"
import { messageId } from "../state/message-id.ts"
import type { Ports } from "../state/ports.ts"
import type { SerialQueue } from "../../async/serial-queue.ts"
import type { BrokerConnection } from "../connection/broker-connection.ts"
import type { RecoveryDriver } from "../handshake/recovery-driver.ts"
import { recoveryOf } from "../handshake/recovery-policy.ts"
import { dropFrame, type ReceiveResult } from "../state/receive-result.ts"
import type { DeviceId } from "../../store/ids.ts"

export type DispatchContext = {
  readonly ports: Ports
  readonly queue: CommitQueue
  readonly limits: Limits
  readonly broker: BrokerConnection
  readonly recoveryDriver: RecoveryDriver
  readonly unverified: UnverifiedBudget
  readonly returning: ReturningDevices
  /** INITs whose step waits for what it needs from the store. */
  readonly inits: SerialQueue
}

/** With what we have of the texts of a device that begins a recovery by this frame. */
type FrameContext = DispatchContext & { readonly have: readonly Uint8Array[] | undefined }

/** What a frame turned out to be, once its consequences are on disk. */
type Outcome =
  | { readonly kind: "unaddressed" }
  | {
      readonly kind: "init"
      readonly offer: OpenBundleRecord
      readonly outcome: AcceptedHandshake | ReceiveResult
    }
  | { readonly kind: "request"; readonly offer: OpenBundleRecord }
  | { readonly kind: "frame"; readonly device: DeviceId; readonly received: ReceiveResult }

type DebugFields = FieldsOf<"inbox", "opened">

/**
 * Receives one frame from the broker; PUBACK follows when the promise resolves. Several may be under way: each is decided
 * on the state after those before it, on disk or not. A bad frame is counted and discarded; only a failed
 * commit rejects, so that the broker delivers again.
 */
export async function receiveFrame(
  context: DispatchContext,
  topic: string,
  payload: Uint8Array,
): Promise<void> {
  const { ports, queue } = context
  ports.reach("receive-arrived")
  const mailbox = ourMailbox(topic, context.broker.deviceId())
  if (mailbox === undefined || payload.length < ID_BYTES) return countDropped(queue)
  await prepareBudget(context, mailbox)
  const have = await textsWithInit(context, mailbox, payload)
  const outcome = await queue.run((state) => {
    const decision = decide({ ...context, have }, state, mailbox, payload)
    ports.reach(decision.result.kind === "init" ? "welcome-decided" : "receive-decided")
    return decision
  })
  ports.reach(outcome.kind === "init" ? "welcome-committed" : "receive-committed")
  ports.debug("inbox", "opened", debugFields(queue.state(), outcome))
  await afterCommit(context, outcome, payload)
}

async function prepareBudget({ queue, unverified }: DispatchContext, mailbox: Uint8Array): Promise<void> {
  const state = queue.state()
  const device = state.mailboxes.get(toHex(mailbox))
  if (device !== undefined) await unverified.prepare(state, contactOf(state, device))
}

/**
 * What we have of a device's texts, if it begins a recovery: the WELCOME says so. No frame overtakes an INIT for which that is
 * read: what follows it opens only after it.
 */
async function textsWithInit(
  { ports, queue, inits }: DispatchContext,
  mailbox: Uint8Array,
  payload: Uint8Array,
): Promise<readonly Uint8Array[] | undefined> {
  const device = recovering(queue.state(), mailbox, payload)
  if (device !== undefined) return inits.run(() => newestTexts(ports.store, queue, device))
  if (inits.isBusy) await inits.idle()
  return undefined
}

function recovering(state: EngineState, mailbox: Uint8Array, payload: Uint8Array): DeviceRecord | undefined {
  if (payload.length !== INIT_BYTES) return undefined
  const id = recoveryOf(state, mailbox, payload.subarray(0, ID_BYTES))?.device ?? null
  return id === null ? undefined : state.devices.get(id)
}

function debugFields(state: EngineState, outcome: Outcome): DebugFields {
  switch (outcome.kind) {
    case "unaddressed":
      return { outcome: "unknown-mailbox" }
    case "request":
      return { outcome: "request" }
    case "init":
      return outcomeFields(state, outcome.outcome)
    case "frame":
      return { ...whose(state, outcome.device), ...outcomeFields(state, outcome.received) }
  }
}

function outcomeFields(state: EngineState, outcome: AcceptedHandshake | ReceiveResult): DebugFields {
  if (outcome.kind === "accepted") return { outcome: outcome.kind, ...whose(state, outcome.device) }
  return outcome.kind === "refused" ? { outcome: outcome.kind, why: outcome.why } : { outcome: outcome.kind }
}

function whose(state: EngineState, device: DeviceId): Pick<DebugFields, "contact" | "device"> {
  return { device, contact: contactOf(state, device)?.id }
}

function decide(
  context: FrameContext,
  state: EngineState,
  mailbox: Uint8Array,
  payload: Uint8Array,
): Decision<Outcome> {
  const tag = payload.subarray(0, ID_BYTES)
  const isInit = payload.length === INIT_BYTES
  const offer = isInit ? (offeredTo(state, mailbox, tag) ?? recoveryOf(state, mailbox, tag)) : undefined
  if (offer !== undefined) {
    return mapResult(decideInit(context, state, offer, payload), (outcome) => ({
      kind: "init",
      offer,
      outcome,
    }))
  }
  const requested = payload.length === LINK_REQUEST_BYTES ? requestedFrom(state, mailbox, tag) : undefined
  if (requested !== undefined) return noChange({ kind: "request", offer: requested })
  const device = state.mailboxes.get(toHex(mailbox))
  if (device === undefined) return mapResult(dropFrame("malformed"), () => ({ kind: "unaddressed" }))
  return mapResult(decideFrame(context, state, device, payload), (received) => ({
    kind: "frame",
    device,
    received,
  }))
}

function mapResult<From, To>(decision: Decision<From>, to: (result: From) => To): Decision<To> {
  return { ...decision, result: to(decision.result) }
}

function decideFrame(
  { ports, limits, unverified }: DispatchContext,
  state: EngineState,
  device: DeviceId,
  wire: Uint8Array,
): Decision<ReceiveResult> {
  const session = state.sessions.get(device)
  const expected = session !== undefined && expects(session, wire)
  if (!expected && !limits.allow(UNMATCHED_FRAMES, `strange/${device}`, ports.now())) {
    return dropFrame("malformed")
  }
  const { now, wall, random } = stepInput(ports)
  const mayAnswerKey = () => limits.allow(KEM_ANSWERS, `kem/${device}`, now)
  const input = { now, wall, random, mayAnswerKey }
  return unverified.limit(state, device, openFrame(state, device, wire, input))
}

function decideInit(
  context: FrameContext,
  state: EngineState,
  record: OpenBundleRecord,
  init: Uint8Array,
): Decision<AcceptedHandshake | ReceiveResult> {
  const { ports } = context
  if (isOver(record, ports)) return { ...dropFrame("unknown-tag"), commit: closing([record]) }
  const device = record.device === null ? undefined : state.devices.get(record.device)
  if (device !== undefined) {
    if (isKnownInit(state, device.id, init)) return onKnownInit(state, device.id)
  }
  if (!allowsInit(context, record)) return dropFrame("malformed")
  const self = { ...selfOf(state, ports), have: record.device === null ? undefined : context.have }
  const decision = acceptHandshake(state, self, { record, init }, stepInput(ports))
  const { commit, effects, result } = decision
  if (result.kind !== "accepted") return decision
  const seen = rememberFrame(state, result.device, "passing", messageId(init))
  return { commit: [...commit, seen], effects, result }
}

async function afterCommit(context: DispatchContext, outcome: Outcome, payload: Uint8Array): Promise<void> {
  switch (outcome.kind) {
    case "unaddressed":
      return
    case "init":
      return afterInit(context, outcome.offer, outcome.outcome, payload)
    case "request":
      return answerRequest(context, outcome.offer, payload)
    case "frame":
      return afterFrame(context, outcome.device, outcome.received, payload)
  }
}

async function afterInit(
  context: DispatchContext,
  offer: OpenBundleRecord,
  outcome: AcceptedHandshake | ReceiveResult,
  init: Uint8Array,
): Promise<void> {
  if (offer.device === null || outcome.kind !== "refused" || outcome.why !== "unknown-tag") return
  await context.recoveryDriver.onUnmatched(offer.device, messageId(init))
}

/** The sign of a rolled-back state, theirs or ours: the header opens, and the body does not. */
const SIGNS_OF_LOST_STATE: ReadonlySet<string> = new Set(["forged", "unknown-kem", "too-far-ahead"])

async function afterFrame(
  context: DispatchContext,
  device: DeviceId,
  received: ReceiveResult,
  wire: Uint8Array,
): Promise<void> {
  if (received.kind !== "refused" || received.why === "over-limit" || received.why === "withheld") {
    if (received.kind !== "again") await context.recoveryDriver.onMatched(device)
    context.returning.received(device)
    if (received.kind === "refused")
      await context.unverified.refresh(contactOf(context.queue.state(), device))
  } else if (received.why === "unknown-tag") {
    await handleUnmatched(context, device, wire)
  } else if (SIGNS_OF_LOST_STATE.has(received.why) && !isBehindLimit(context, device, received.why)) {
    await context.recoveryDriver.onUnmatched(device, messageId(wire))
  }
}

/** What follows on many refused frames is far ahead of the session, and nothing is lost. */
function isBehindLimit({ unverified, queue }: DispatchContext, device: DeviceId, why: string): boolean {
  return why === "too-far-ahead" && unverified.isReached(contactOf(queue.state(), device))
}

/** A frame without an expected tag: one that changed the conversation, one of a superseded session, or a foreign one. */
async function handleUnmatched(context: DispatchContext, device: DeviceId, wire: Uint8Array): Promise<void> {
  const { ports, queue } = context
  const mid = messageId(wire)
  if (await ports.store.hasFrame(device, mid.slice(0, SHORT_MID_BYTES))) {
    await queue.run((state) => repeatReceipt(state, device, mid, stepInput(ports)))
    return
  }
  if (await queue.run((state) => answerSuperseded(state, device, wire, stepInput(ports)))) return
  await context.recoveryDriver.onUnmatched(device, mid)
  if (!isKnownInit(queue.state(), device, wire)) await countDropped(queue)
}

async function answerRequest(
  context: DispatchContext,
  offer: OpenBundleRecord,
  request: Uint8Array,
): Promise<void> {
  const { ports, queue } = context
  const { bundle } = readBundleSecrets(offer).open
  const inbox = openLinkRequest(bundle.hash, request)
  if (inbox === undefined || isOver(offer, ports) || !allowsRequest(context, offer))
    return countDropped(queue)
  const answer = sealLinkAnswer(bundle.hash, bundle.bytes, ports.random)
  // Not awaited: the peer repeats its request.
  void context.broker.connection()?.publish(inboxTopic(inbox), answer).catch(ignoreFault)
}

function ignoreFault(fault: unknown): void {
  if (!(fault instanceof Fault)) throw fault
}

function isOver(offer: OpenBundleRecord, ports: Ports): boolean {
  return offer.notAfter < seconds(stepInput(ports))
}

/** What one device costs, or the holder of one offer, is bounded for that one alone [D-150]. */
function allowsInit({ limits, ports }: DispatchContext, { device, tag }: OpenBundleRecord): boolean {
  const name = device === null ? `offer/${toHex(tag)}` : `device/${device}`
  return limits.allow(INITS, `init/${name}`, ports.now())
}

function allowsRequest({ limits, ports }: DispatchContext, { tag }: OpenBundleRecord): boolean {
  return limits.allow(LINK_REQUESTS, `request/${toHex(tag)}`, ports.now())
}

function ourMailbox(topic: string, deviceId: string | undefined): Uint8Array | undefined {
  const parsed = parseTopic(topic)
  if (parsed?.kind !== "inbox" || parsed.device !== deviceId) return undefined
  return fromBase64url(parsed.mailbox)
}

async function countDropped(queue: CommitQueue): Promise<void> {
  await queue.run(() => dropFrame("malformed"))
}
