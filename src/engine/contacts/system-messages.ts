import { MESSAGE_ID_BYTES } from "../../wire/sizes.ts"
import type { Change, Effect } from "../state/decision.ts"
import type { DeviceUpdate, StepInput } from "../state/update.ts"
import type { ConversationId } from "../../store/ids.ts"

/** A system message for the history and for listeners: what happened to the conversation. */
export function makeSystemMessage(
  conversation: ConversationId,
  text: string,
  input: StepInput,
): { change: Extract<Change, { kind: "message" }>; effect: Effect } {
  const id = input.random(MESSAGE_ID_BYTES)
  return {
    change: {
      kind: "message",
      message: {
        conversation,
        author: null,
        id,
        digest: new Uint8Array(0),
        kind: "line",
        text,
        sentAt: input.wall,
        storedAt: input.now,
        state: "received",
        shown: false,
        timer: 0,
        expiresAt: 0,
        replyTo: undefined,
      },
    },
    effect: { kind: "message", conversation, author: null, id },
  }
}

export function addSystemMessage(update: DeviceUpdate, text: string): void {
  const { change, effect } = makeSystemMessage(update.conversation.id, text, update.input)
  update.changes.push(change)
  update.effects.push(effect)
}

/** As above, but not again while it is the newest: a contact can cause it as often as they like. */
export function addMergedMessage(update: DeviceUpdate, text: string): void {
  const { change, effect } = makeSystemMessage(update.conversation.id, text, update.input)
  update.changes.push({ ...change, unlessRepeated: true })
  update.effects.push(effect)
}
