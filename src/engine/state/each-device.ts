import type { Decision } from "./decision.ts"
import type { EngineState } from "./engine-state.ts"
import { toDecision, updateFor, type DeviceUpdate, type StepInput } from "./update.ts"
import type { ContactId } from "../../store/ids.ts"

/**
 * Updates of all devices of a contact that have a session, for one step. Each continues from what `run` left of the one
 * before it: the contact, the conversation, and the number in the outbox.
 */
export function updateEach(
  state: EngineState,
  contact: ContactId,
  input: StepInput,
  run: (update: DeviceUpdate) => void,
): DeviceUpdate[] {
  const updates: DeviceUpdate[] = []
  for (const id of state.devicesByContact.get(contact) ?? []) {
    const update = updateFor(state, id, input)
    if (update === undefined) continue
    const before = updates.at(-1)
    if (before !== undefined) {
      update.contact = before.contact
      update.conversation = before.conversation
      update.seq = before.seq
    }
    run(update)
    updates.push(update)
  }
  return updates
}

/** All changes of the updates of one step, as one decision. */
export function toJointDecision<Result>(
  state: EngineState,
  updates: readonly DeviceUpdate[],
  result: Result,
): Decision<Result> {
  const decisions = updates.map((update) => toDecision(state, update, null))
  return {
    commit: decisions.flatMap(({ commit }) => commit),
    effects: decisions.flatMap(({ effects }) => effects),
    result,
  }
}
