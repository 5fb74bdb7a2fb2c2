import { NOT_RENAMED, type Renaming } from "../state/decision.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { DeviceUpdate } from "../state/update.ts"
import { isTaken, findConfusable } from "./contacts.ts"
import { addSystemMessage } from "./system-messages.ts"

/**
 * Says in the conversation that a new contact got another name than `wanted`, the one they gave themselves. Where two
 * people just have the same name the pairing tells it, and the conversation needs no line.
 */
export function noteRenaming(state: EngineState, update: DeviceUpdate, wanted: string): Renaming {
  const { id, name } = update.contact
  if (name === wanted) return NOT_RENAMED
  const confusableWith = findConfusable(state, wanted, id)?.name ?? null
  if (!isTaken(state, wanted, id)) {
    const why =
      confusableWith === null ? "has a meaning of its own here" : `looks like your contact ${confusableWith}`
    addSystemMessage(update, `they call themselves ${wanted}, which ${why}: here they are ${name}`)
  }
  return { renamedFrom: wanted, confusableWith }
}
