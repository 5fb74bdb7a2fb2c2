import type { Random } from "../../crypto/bytes.ts"
import type { Session } from "../../session/state.ts"
import type { ContactId, ContactRecord, TextNumbers } from "../../store/records.ts"
import type { EngineState } from "./engine-state.ts"
import type { Change, Decision, Effect } from "./decision.ts"
import { textNumbersChange, readTextNumbers } from "./text-numbers.ts"
import type { Ports } from "./ports.ts"

/** Time (unix ms) and randomness of one step. */
export type StepInput = { readonly now: number; readonly random: Random }

/**
 * One contact's part of a decision in progress: contact, session, waiting receipts and counters as they will
 * be, and all other changes. The state is only read.
 */
export type ContactUpdate = {
  contact: ContactRecord
  session: Session
  /** Short message ids that the peer waits for. */
  receipts: readonly Uint8Array[]
  readonly receiptsBefore: readonly Uint8Array[]
  textNumbers: TextNumbers
  readonly textNumbersBefore: TextNumbers
  seq: number
  readonly input: StepInput
  readonly changes: Change[]
  readonly effects: Effect[]
}

/** The update of a contact that has a session, or undefined. */
export function updateFor(state: EngineState, id: ContactId, input: StepInput): ContactUpdate | undefined {
  const contact = state.contacts.get(id)
  const session = state.sessions.get(id)
  if (contact === undefined || session === undefined) return undefined
  const receipts = pendingReceipts(state, id)
  const textNumbers = readTextNumbers(state, id)
  return {
    contact,
    session,
    receipts,
    receiptsBefore: receipts,
    textNumbers,
    textNumbersBefore: textNumbers,
    seq: state.nextOutgoing,
    input,
    changes: [],
    effects: [],
  }
}

/** All changes of the update. */
export function toDecision<Result>(
  state: EngineState,
  update: ContactUpdate,
  result: Result,
): Decision<Result> {
  const { contact, session, receipts, textNumbers, changes, effects } = update
  const commit: Change[] = []
  if (state.contacts.get(contact.id) !== contact) commit.push({ kind: "contact", contact })
  if (state.sessions.get(contact.id) !== session) {
    commit.push({ kind: "session", contact: contact.id, session })
  }
  if (receipts !== update.receiptsBefore) {
    commit.push({ kind: "device", contact: contact.id, part: "pendingReceipts", value: { mids: receipts } })
  }
  if (textNumbers !== update.textNumbersBefore) commit.push(textNumbersChange(contact.id, textNumbers))
  return { commit: [...commit, ...changes], effects, result }
}

/** Unix seconds: the session room's clock. */
export function seconds(input: StepInput): number {
  return Math.floor(input.now / 1000)
}

/** Short message ids whose receipts wait on disk. */
export function pendingReceipts(state: EngineState, contact: ContactId): readonly Uint8Array[] {
  return state.devices.get(contact)?.pendingReceipts?.mids ?? []
}

export function stepInput(ports: Pick<Ports, "now" | "random">): StepInput {
  return { now: ports.now(), random: ports.random }
}

/** Marks the session in which texts of earlier ones are to be sent; empty when none wait. */
export function unsentIn(state: EngineState, contact: ContactId): Uint8Array {
  return state.devices.get(contact)?.unsentTexts?.session ?? new Uint8Array(0)
}

export function unsentChange(contact: ContactId, session: Uint8Array): Change {
  return { kind: "device", contact, part: "unsentTexts", value: { session } }
}
