import type { Content } from "../../content/content.ts"
import type { StoredMessage } from "../../store/message-records.ts"

/** What a message says, as the rules of changes see it. */
export function contentOf(message: StoredMessage): Content {
  const { author, text, sentAt, editedAt, previous, deletedAt, reactions } = message
  const [first = { text, time: sentAt }, ...between] = previous
  const edits = editedAt === null ? [] : [{ text, time: editedAt }, ...between.reverse()]
  return { author, first, edits, deletedAt, reactions }
}
