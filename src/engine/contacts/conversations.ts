import { type ConversationRecord, MUTED_FOREVER } from "../../store/records.ts"
import { directWith } from "../state/conversations.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { StepInput } from "../state/update.ts"
import { type ContactId } from "../../store/ids.ts"

/** Of a contact that takes the place of another: what was typed for either is kept. */
export function adoptedConversation(
  state: EngineState,
  old: ContactId,
  fresh: ContactId,
): ConversationRecord {
  const { draft, mutedUntil, timer, timerSetAt } = directWith(state, old)
  const conversation = directWith(state, fresh)
  return { ...conversation, draft: draft || conversation.draft, mutedUntil, timer, timerSetAt }
}

/** How its muting is shown: one that is over is none. */
export function mutingOf(
  { mutedUntil }: ConversationRecord,
  { now, wall }: StepInput,
): { readonly muted: boolean; readonly mutedUntil: number | null } {
  const muted = mutedUntil > now
  return { muted, mutedUntil: muted && mutedUntil !== MUTED_FOREVER ? mutedUntil - now + wall : null }
}
