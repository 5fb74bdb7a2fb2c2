import type { Random } from "../../crypto/bytes.ts"
import type { Session } from "../../session/state.ts"
import type { ContactId, ContactRecord } from "../../store/records.ts"
import { SHORT_MID_BYTES } from "../../wire/frame.ts"
import type { EngineState } from "./engine-state.ts"
import type { Change, Decision, Effect } from "./decision.ts"
import { textNumbersChange, readTextNumbers, type TextNumbers } from "./text-numbers.ts"
import type { Ports } from "./ports.ts"

/** Time (unix ms) and chance of one step. */
export type StepInput = { readonly now: number; readonly random: Random }

/**
 * One contact's part of a decision while it is being made: contact, session, waiting receipts and counters as they will
 * be, and the changes besides. The book is only read.
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

/** A draft about a contact that has a session, or undefined. */
export function updateFor(state: EngineState, id: ContactId, input: StepInput): ContactUpdate | undefined {
  const contact = state.contacts.get(id)
  const session = state.sessions.get(id)
  if (contact === undefined || session === undefined) return undefined
  const receipts = readReceipts(state.settings.get(receiptsKey(id)))
  const textNumbers = readTextNumbers(state.settings, id)
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

/** What the draft comes to. */
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
    commit.push({ kind: "setting", key: receiptsKey(contact.id), value: Buffer.concat(receipts) })
  }
  if (textNumbers !== update.textNumbersBefore) commit.push(textNumbersChange(contact.id, textNumbers))
  return { commit: [...commit, ...changes], effects, result }
}

/** Unix seconds: the session room's clock. */
export function seconds(input: StepInput): number {
  return Math.floor(input.now / 1000)
}

export function receiptsKey(contact: ContactId): string {
  return `receipts/${contact}`
}

function readReceipts(value: Uint8Array | undefined): Uint8Array[] {
  const bytes = value ?? new Uint8Array(0)
  const count = Math.floor(bytes.length / SHORT_MID_BYTES)
  return Array.from({ length: count }, (_, i) => bytes.slice(i * SHORT_MID_BYTES, (i + 1) * SHORT_MID_BYTES))
}

export function stepInput(ports: Pick<Ports, "now" | "random">): StepInput {
  return { now: ports.now(), random: ports.random }
}

/** While texts of a refreshed contact wait to be sent again: the words of the session in which they are to be. */
export function unsentKey(contact: ContactId): string {
  return `unsent/${contact}`
}
