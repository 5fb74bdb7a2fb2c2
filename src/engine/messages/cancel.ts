import type { OutgoingRecord } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { Decision } from "../state/decision.ts"
import { updateFor, toDecision, type StepInput } from "../state/update.ts"
import { addSystemMessage } from "../contacts/system-messages.ts"
import { messageStateChange } from "./message-state.ts"
import { sealAndEnqueue } from "../state/outgoing.ts"

/**
 * Drops a text from the outbox. The peer is told its number, or it would hold back later ones; if the session
 * cannot send now, the peer shows the gap by itself after a while.
 */
export function cancelText(
  state: EngineState,
  { seq, device, carries }: OutgoingRecord,
  outcome: "given-up" | "cancelled",
  input: StepInput,
): Decision<null> {
  const done = { kind: "outgoing-done", seq } as const
  const update = updateFor(state, device, input)
  if (update === undefined || carries === undefined) return { commit: [done], effects: [], result: null }
  const { change, effect } = messageStateChange(update.contact.id, carries.id, outcome, input.now)
  update.changes.push(done, change)
  update.effects.push(effect)
  if (outcome === "given-up")
    addSystemMessage(update, `a message to ${update.contact.name} was NOT DELIVERED in 30 days`)
  sealAndEnqueue(update, { kind: "control", frames: [{ kind: "gone", numbers: [carries.number] }] })
  return toDecision(state, update, null)
}
