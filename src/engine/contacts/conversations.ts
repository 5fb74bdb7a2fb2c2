import { type ContactId, type ConversationRecord, MUTED_FOREVER } from "../../store/records.ts"
import type { EngineState } from "../state/engine-state.ts"

const NEW_CONVERSATION = { draft: "", mutedUntil: 0 } as const

export function conversationOf(state: EngineState, contact: ContactId): ConversationRecord {
  return state.conversations.get(contact) ?? { contact, ...NEW_CONVERSATION }
}

/** Of a contact that takes the place of another: what was typed for either is kept. */
export function adoptedConversation(
  state: EngineState,
  old: ContactId,
  fresh: ContactId,
): ConversationRecord {
  const { draft, mutedUntil } = conversationOf(state, old)
  return { contact: fresh, draft: draft || conversationOf(state, fresh).draft, mutedUntil }
}

/** How its muting is shown: one that is over is none. */
export function mutingOf(
  { mutedUntil }: ConversationRecord,
  now: number,
): { readonly muted: boolean; readonly mutedUntil: number | null } {
  const muted = mutedUntil > now
  return { muted, mutedUntil: muted && mutedUntil !== MUTED_FOREVER ? mutedUntil : null }
}
