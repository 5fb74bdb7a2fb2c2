import type { Content } from "../../content/content.ts"
import type { StoredMessage } from "../../store/message-records.ts"

/** A text as it was sent first: its edits follow, for with another text it would be another message [W-52]. Undefined for one that was deleted. */
export function asSent(message: StoredMessage): StoredMessage | undefined {
  return message.deletedAt === null ? { ...message, text: contentOf(message).first.text } : undefined
}

/** What a message says, as the rules of changes see it. */
export function contentOf(message: StoredMessage): Content {
  const { author, text, sentAt, editedAt, previous, deletedAt, reactions } = message
  const [first = { text, time: sentAt }, ...between] = previous
  const edits = editedAt === null ? [] : [{ text, time: editedAt }, ...between.reverse()]
  return { author, first, edits, deletedAt, reactions }
}
