import type { StoredMessage } from "../../store/message-records.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import { DAY_MS, HOUR_MS } from "../../time-units.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import { directWith } from "../state/conversations.ts"
import { noChange, type Change, type Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import { changesOfMessage, entryKey } from "../state/outgoing-index.ts"
import type { Ports } from "../state/ports.ts"
import { changeResend, resendOf } from "../state/resend-state.ts"
import { receiverOf, sendableTo } from "../state/send-gate.ts"
import { enqueueUnsealedChange } from "../state/unsealed.ts"
import { stepInput, toDecision, updateFor, type DeviceUpdate, type StepInput } from "../state/update.ts"
import { hasRoom } from "./deliveries.ts"
import { sealAgain, startPostQuantumStep } from "./enqueue.ts"
import { asSent } from "./message-content.ts"
import { planResend, type ResendPlan } from "./resend-plan.ts"
import type { DeviceId } from "../../store/ids.ts"

/** As long as a text is retransmitted: who was away for longer has lost more than a disk. */
const SENT_AGAIN_MS = 30 * DAY_MS
/** Within an hour: fewer than a receiver takes from a contact whom it has not verified [D-26]. */
const TEXTS_MAX = 3_000
/** Within an hour: a quarter of what a queue holds. */
const BYTES_MAX = 16 * 1024 * 1024
/** Sealed in one commit: a flush to the disk for each text would take most of the time. */
const SEALED_AT_ONCE = 32

type Waiting = Pick<OutgoingRecord, "seq" | "device">

/**
 * Sends a device again what it had acknowledged and lost, before what waits for the new session. False if that cannot be
 * finished now: then it begins again later, and what came twice is known by its id [D-60].
 */
export async function resendLost(ports: Ports, queue: CommitQueue, waiting: Waiting): Promise<boolean> {
  const plan = await planFor(ports, queue.state(), waiting.device)
  for (let from = 0; from < plan.ids.length; from += SEALED_AT_ONCE) {
    const texts = await textsOf(ports, queue.state(), waiting, plan.ids.slice(from, from + SEALED_AT_ONCE))
    if (!(await queue.run((state) => sealTexts(state, waiting, texts, stepInput(ports))))) return false
  }
  return queue.run((state) => finish(state, waiting, plan, stepInput(ports)))
}

async function planFor(ports: Ports, state: EngineState, id: DeviceId): Promise<ResendPlan> {
  const device = state.devices.get(id)
  const { have, since } = resendOf(state, id)
  if (device === undefined || have === undefined) return { ids: [], isCut: false, changes: [] }
  const { contact } = device
  const { now, wall } = stepInput(ports)
  const { spentTexts, spentBytes } = spentBy(state, id, now)
  const plan = await planResend(ports.store, {
    ...{ conversation: directWith(state, contact).id, contact, have: have.ids, now, wall },
    since: Math.max(since, now - SENT_AGAIN_MS),
    ...{ textsMax: TEXTS_MAX - spentTexts, bytesMax: BYTES_MAX - spentBytes },
  })
  return { ...plan, ids: plan.ids.filter((text) => !state.byTextId.has(entryKey(id, text))) }
}

function spentBy(state: EngineState, device: DeviceId, now: number) {
  const { spentAt, spentTexts, spentBytes } = resendOf(state, device)
  const isOver = Math.abs(now - spentAt) >= HOUR_MS
  return isOver ? { spentAt: now, spentTexts: 0, spentBytes: 0 } : { spentAt, spentTexts, spentBytes }
}

async function textsOf(
  { store }: Ports,
  state: EngineState,
  { device: id }: Waiting,
  ids: readonly Uint8Array[],
): Promise<StoredMessage[]> {
  const device = state.devices.get(id)
  if (device === undefined) return []
  const { id: conversation } = directWith(state, device.contact)
  const found = await Promise.all(
    ids.map((text) => store.findMessage({ conversation, author: null, id: text })),
  )
  return found.flatMap((message) => (message && asSent(message)) ?? [])
}

/** The update of a device to which everything may be sent now, and for which this still waits. */
function updateOf(state: EngineState, { seq, device }: Waiting, input: StepInput): DeviceUpdate | undefined {
  const update = state.outgoing.has(seq) ? updateFor(state, device, input) : undefined
  if (update === undefined || isUnfinished(state, device)) return undefined
  return sendableTo(receiverOf(state, update.device)) === "everything" ? update : undefined
}

function sealTexts(
  state: EngineState,
  waiting: Waiting,
  texts: readonly StoredMessage[],
  input: StepInput,
): Decision<boolean> {
  const update = updateOf(state, waiting, input)
  if (update === undefined || !hasRoom(state, update.device)) return noChange(false)
  for (const text of texts) if (sealAgain(update, text).kind === "refused") return noChange(false)
  startPostQuantumStep(update)
  const { spentAt, spentTexts, spentBytes } = spentBy(state, waiting.device, input.now)
  changeResend(state, update, {
    spentAt,
    spentTexts: spentTexts + texts.length,
    spentBytes: texts.reduce((sum, { text }) => sum + Buffer.byteLength(text), spentBytes),
  })
  return toDecision(state, update, true)
}

/** The changes wait for their turn behind the texts that they are of. */
function finish(
  state: EngineState,
  waiting: Waiting,
  { ids, isCut, changes }: ResendPlan,
  input: StepInput,
): Decision<boolean> {
  const done: Change = { kind: "outgoing-done", seq: waiting.seq }
  const update = updateOf(state, waiting, input)
  if (update === undefined) return noChange(false)
  if (resendOf(state, waiting.device).have === undefined) return { commit: [done], effects: [], result: true }
  update.changes.push(done)
  for (const change of changes) {
    const pending = changesOfMessage(state, waiting.device, change.id)
    if (pending.some(({ carriesChange }) => carriesChange?.kind === change.kind)) continue
    enqueueUnsealedChange(update, change, true)
  }
  changeResend(state, update, { have: undefined })
  if (ids.length > 0) addSystemMessage(update, sentAgain(update, ids.length, isCut))
  return toDecision(state, update, true)
}

function sentAgain({ contact: { name } }: DeviceUpdate, count: number, isCut: boolean): string {
  const messages = count === 1 ? "a message that" : `${count} messages that`
  const were = count === 1 ? "was" : "were"
  const rest = isCut ? "; older ones were not: too many are missing" : ""
  return `${messages} ${name}'s device had lost ${were} sent again${rest}`
}
