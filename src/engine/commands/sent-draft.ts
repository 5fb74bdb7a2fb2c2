import type { ContactId } from "../../store/ids.ts"
import { directWith } from "../state/conversations.ts"
import type { Decision } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"

/** The step that sends what was typed, with the draft removed: whatever happens then, it is not offered again. */
export function withoutDraft<Result>(
  state: EngineState,
  contact: ContactId,
  { commit, effects, result }: Decision<Result>,
): Decision<Result> {
  const conversation = directWith(state, contact)
  if (conversation.draft === "") return { commit, effects, result }
  return {
    commit: [...commit, { kind: "conversation", conversation: { ...conversation, draft: "" } }],
    effects: [...effects, { kind: "conversation", contact }],
    result,
  }
}
