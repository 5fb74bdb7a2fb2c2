import type { Contact } from "../state/shapes.ts"
import type { EngineParts } from "./engine-parts.ts"

/** With what is unread there now: the step that described the contact sees no messages, which are on disk. */
export async function withUnread(
  { ports, queue }: Pick<EngineParts, "ports" | "queue">,
  contact: Contact,
): Promise<Contact> {
  const conversation = queue.state().directs.get(contact.id)
  return conversation === undefined
    ? contact
    : { ...contact, unread: await ports.store.countUnshown(conversation) }
}
