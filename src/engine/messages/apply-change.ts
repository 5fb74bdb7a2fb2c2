import type { ContentChange } from "../../content/content.ts"
import { isEmoji } from "../../wire/emoji.ts"
import type { Frame } from "../../wire/frame.ts"
import { readText } from "../../wire/text.ts"
import { authorNamed } from "../contacts/authors.ts"
import { addMergedMessage } from "../contacts/system-messages.ts"
import type { EngineState } from "../state/engine-state.ts"
import type { DeviceUpdate } from "../state/update.ts"
import type { ContactId } from "../../store/ids.ts"

/** A frame that changes a message. */
export type ChangeFrame = Extract<Frame, { kind: "edit" | "delete" | "reaction" }>

/**
 * A change of theirs, by whatever session it came: the store applies it, or keeps it for a message that is not here yet
 * [D-91] [D-95].
 */
export function applyChange(state: EngineState, update: DeviceUpdate, frame: ChangeFrame): void {
  const { contact, conversation, input } = update
  const author = authorNamed(state, contact.id, frame.author)
  const change = readChange(contact.id, frame)
  if (change === undefined) {
    const what = frame.kind === "edit" ? "an edit that is not text" : "a reaction that is no emoji"
    addMergedMessage(update, `${contact.name} sent ${what}`)
    return
  }
  if (author === undefined || (author === null && frame.kind !== "reaction")) return
  const { id, digest } = frame
  const name = { conversation: conversation.id, author, id }
  update.changes.push({ kind: "change", ...name, digest, change, at: input.now })
  update.effects.push({ kind: "changed", ...name, change: frame.kind })
}

/** Undefined if it holds something that is not what it should be. */
function readChange(by: ContactId, frame: ChangeFrame): ContentChange | undefined {
  const { time } = frame
  if (frame.kind === "delete") return { kind: "delete", by, time }
  if (frame.kind === "edit") {
    const text = readText(frame.text)
    return text === undefined ? undefined : { kind: "edit", by, time, text }
  }
  const emoji = readText(frame.emoji)
  if (emoji === undefined || (emoji !== "" && !isEmoji(emoji))) return undefined
  return { kind: "reaction", by, time, emoji }
}
