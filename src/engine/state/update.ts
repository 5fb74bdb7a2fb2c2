import type { ChainOutcome, KnownChain } from "../../account/branches.ts"
import type { Random } from "../../crypto/bytes.ts"
import type { Session } from "../../session/state.ts"
import type { LeftOut, TextNumbers } from "../../store/device-parts.ts"
import type { ContactRecord, ConversationRecord, DeviceRecord } from "../../store/records.ts"
import { directWith } from "./conversations.ts"
import type { EngineState } from "./engine-state.ts"
import type { Change, Decision, Effect } from "./decision.ts"
import { textNumbersChange, readTextNumbers } from "./text-numbers.ts"
import type { Ports } from "./ports.ts"
import type { DeviceId } from "../../store/ids.ts"

/** Times (ms) and randomness of one step. */
export type StepInput = {
  /** Engine time [D-106]. */
  readonly now: number
  /** The machine's clock, for what is shown or compared with other machines [D-108]. */
  readonly wall: number
  readonly random: Random
}

/**
 * One device's part of a decision in progress: the device, its contact, session, waiting receipts and counters as they
 * will be, and all other changes. The state is only read.
 */
export type DeviceUpdate = {
  device: DeviceRecord
  contact: ContactRecord
  /** With this contact. */
  conversation: ConversationRecord
  session: Session
  /** Short message ids that the peer waits for. */
  receipts: readonly Uint8Array[]
  readonly receiptsBefore: readonly Uint8Array[]
  textNumbers: TextNumbers
  readonly textNumbersBefore: TextNumbers
  /** Undefined if the contact was never unblocked. */
  leftOut: LeftOut | undefined
  seq: number
  readonly input: StepInput
  readonly changes: Change[]
  readonly effects: Effect[]
  /** Why the device's session ends with this step instead; undefined if it does not. */
  ended: string | undefined
  /** The links that end it because they removed the device: they count all the same [D-72]. */
  learned: Learned | undefined
}

/** What is known of an account with links that are news. */
export type Learned = { readonly known: KnownChain; readonly outcome: ChainOutcome }

/** The update of a device that has a session, or undefined. */
export function updateFor(state: EngineState, id: DeviceId, input: StepInput): DeviceUpdate | undefined {
  const device = state.devices.get(id)
  const contact = device && state.contacts.get(device.contact)
  const session = state.sessions.get(id)
  if (device === undefined || contact === undefined || session === undefined) return undefined
  const conversation = directWith(state, contact.id)
  const receipts = pendingReceipts(state, id)
  const textNumbers = readTextNumbers(state, id)
  return {
    device,
    contact,
    conversation,
    session,
    receipts,
    receiptsBefore: receipts,
    textNumbers,
    textNumbersBefore: textNumbers,
    leftOut: state.deviceParts.get(id)?.leftOut,
    seq: state.nextOutgoing,
    input,
    changes: [],
    effects: [],
    ended: undefined,
    learned: undefined,
  }
}

/** All changes of the update. */
export function toDecision<Result>(
  state: EngineState,
  update: DeviceUpdate,
  result: Result,
): Decision<Result> {
  const { device, contact, conversation, session, receipts, textNumbers, leftOut, changes, effects } = update
  const commit: Change[] = []
  if (state.contacts.get(contact.id) !== contact) commit.push({ kind: "contact", contact })
  if (state.conversations.get(conversation.id) !== conversation)
    commit.push({ kind: "conversation", conversation })
  if (state.devices.get(device.id) !== device) commit.push({ kind: "device", device })
  if (state.sessions.get(device.id) !== session) {
    commit.push({ kind: "session", device: device.id, session })
  }
  if (receipts !== update.receiptsBefore) {
    commit.push({
      kind: "device-part",
      device: device.id,
      part: "pendingReceipts",
      value: { mids: receipts },
    })
  }
  if (textNumbers !== update.textNumbersBefore) commit.push(textNumbersChange(device.id, textNumbers))
  if (leftOut !== undefined && leftOut !== state.deviceParts.get(device.id)?.leftOut)
    commit.push({ kind: "device-part", device: device.id, part: "leftOut", value: leftOut })
  return { commit: [...commit, ...changes], effects, result }
}

/** The session room's clock, in seconds. */
export function seconds(input: StepInput): number {
  return Math.floor(input.now / 1000)
}

/** Unix seconds, by which the bundles of other machines are judged [D-108]. */
export function wallSeconds(input: StepInput): number {
  return Math.floor(input.wall / 1000)
}

/** Short message ids whose receipts wait on disk. */
export function pendingReceipts(state: EngineState, device: DeviceId): readonly Uint8Array[] {
  return state.deviceParts.get(device)?.pendingReceipts?.mids ?? []
}

export function stepInput(ports: Pick<Ports, "now" | "wallClock" | "random">): StepInput {
  return { now: ports.now(), wall: ports.wallClock(), random: ports.random }
}
