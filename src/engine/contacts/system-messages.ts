import type { ContactId } from "../../store/records.ts"
import type { Change, Effect } from "../state/decision.ts"
import type { DeviceUpdate, StepInput } from "../state/update.ts"

/** As long as a message id, so that commands can name a system message as they name others. */
const SYSTEM_MESSAGE_ID_BYTES = 16

/** A system message for the history and for listeners: what happened to the conversation. */
export function makeSystemMessage(
  contact: ContactId,
  text: string,
  input: StepInput,
): { change: Change; effect: Effect } {
  const mid = input.random(SYSTEM_MESSAGE_ID_BYTES)
  return {
    change: {
      kind: "message",
      message: {
        contact,
        mid,
        mine: false,
        kind: "line",
        text,
        sentAt: input.now,
        storedAt: input.now,
        state: "received",
        shown: false,
        original: new Uint8Array(0),
        timer: 0,
        expiresAt: 0,
      },
    },
    effect: { kind: "message", contact, mid },
  }
}

export function addSystemMessage(update: DeviceUpdate, text: string): void {
  const { change, effect } = makeSystemMessage(update.contact.id, text, update.input)
  update.changes.push(change)
  update.effects.push(effect)
}
