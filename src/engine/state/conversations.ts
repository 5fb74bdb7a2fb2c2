import { Fault } from "../../errors.ts"
import type { ConversationRecord } from "../../store/records.ts"
import type { EngineState } from "./engine-state.ts"
import type { ContactId, ConversationId } from "../../store/ids.ts"

/** The conversation with a contact, which every contact has. Faults `not-found` if it was forgotten. */
export function directWith(state: EngineState, contact: ContactId): ConversationRecord {
  const id = state.directs.get(contact)
  const conversation = id === undefined ? undefined : state.conversations.get(id)
  if (conversation !== undefined) return conversation
  throw new Fault("not-found", "the contact was forgotten meanwhile", "mqttchat contacts")
}

/** With whom it is; undefined if the contact was forgotten. */
export function contactIn(state: EngineState, conversation: ConversationId): ContactId | undefined {
  return state.conversations.get(conversation)?.contact
}
