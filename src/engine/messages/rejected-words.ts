import type { ContactRecord } from "../../store/records.ts"
import { aboutContact } from "../contacts/describe.ts"
import { addMergedMessage } from "../contacts/system-messages.ts"
import { isUnfinished } from "../contacts/shown-account.ts"
import { shellCommand } from "../../shell-command.ts"
import type { Consequences } from "../state/decision.ts"
import { toJointDecision, updateEach } from "../state/each-device.ts"
import type { EngineState } from "../state/engine-state.ts"
import { outgoingOfKind } from "../state/outgoing-index.ts"
import { sealAndEnqueue } from "../state/outgoing.ts"
import { type DeviceUpdate, type StepInput } from "../state/update.ts"

/** Tells every device of a contact that the words were not the same here: it may be the first that its person hears of it [D-141]. */
export function rejectWords(state: EngineState, { id }: ContactRecord, input: StepInput): Consequences {
  const updates = updateEach(state, id, input, (update) => {
    if (
      isUnfinished(state, update.device.id) ||
      outgoingOfKind(state, update.device.id, "rejection").length > 0
    )
      return
    sealAndEnqueue(update, { kind: "rejection", frames: [{ kind: "rejected" }] })
  })
  const { commit, effects } = toJointDecision(state, updates, null)
  return { commit, effects }
}

/** They say that the words differ: what was compared counts no more, and the person is told what to do. */
export function applyRejected(state: EngineState, update: DeviceUpdate): void {
  if (isUnfinished(state, update.device.id)) return
  const { contact } = update
  update.contact = { ...contact, verified: false }
  update.effects.push({ kind: "event", event: { kind: "words-rejected", ...aboutContact(contact) } })
  const how = shellCommand`mqttchat verify ${contact.name}`
  addMergedMessage(
    update,
    `${contact.name} says that the words you compared are not the same: one of you may have read them wrongly, or someone ` +
      `is between you. They are not VERIFIED any more; compare again: ${how}`,
  )
}
