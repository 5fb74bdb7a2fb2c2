import { fromHex } from "../../crypto/bytes.ts"
import { Fault } from "../../errors.ts"
import { findContact } from "../contacts/contacts.ts"
import { directWith } from "../state/conversations.ts"
import { describeMessage } from "../contacts/describe.ts"
import { deleteMessages } from "../messages/delete.ts"
import { MESSAGE_ID_BYTES } from "../../wire/sizes.ts"
import type { MessageChanger } from "./changes.ts"
import type { EngineParts } from "./engine-parts.ts"
import type { Results } from "../state/commands.ts"
import type { Handlers } from "./handlers.ts"

/** More tell a person nothing: they have to type more digits. */
const FOUND_MAX = 10
const ID_DIGITS = 2 * MESSAGE_ID_BYTES
const FIRST_SEQ = 1

/** Finding messages by their ids, and deleting them here. */
export function deleteCommands(
  parts: EngineParts,
  change: MessageChanger,
): Handlers<"find" | "delete" | "delete-all"> {
  const { ports, queue } = parts
  return {
    find: async ({ id, contact }) => {
      const [first, last] = [fromHex(id.padEnd(ID_DIGITS, "0")), fromHex(id.padEnd(ID_DIGITS, "f"))]
      const conversation =
        contact === undefined
          ? {}
          : { conversation: directWith(queue.state(), findContact(queue.state(), contact).id).id }
      const found = await ports.store.messagesBetween(first, last, { limit: FOUND_MAX, ...conversation })
      return found.flatMap((record) => describeMessage(queue.state(), record) ?? [])
    },
    delete: async ({ contact: reference, id, forAll }) => {
      if (forAll === true) return deleteForAll(change, { contact: reference, id })
      const { id: contact } = findContact(queue.state(), reference)
      const message = await ports.store.findMessageById(directWith(queue.state(), contact).id, fromHex(id))
      if (message === undefined)
        throw new Fault("not-found", `there is no message ${id}`, "mqttchat history NAME --ids")
      return deleteMessages(parts, { contact, from: message.seq, upTo: message.seq })
    },
    "delete-all": async ({ contact: reference }) => {
      const { id: contact } = findContact(queue.state(), reference)
      const { lastSeq } = await ports.store.countMessages(
        directWith(queue.state(), contact).id,
        FIRST_SEQ,
        Number.MAX_SAFE_INTEGER,
      )
      return deleteMessages(parts, { contact, from: FIRST_SEQ, upTo: lastSeq, isAll: true })
    },
  }
}

/** It stays in the conversation, without its text: a copy that comes later finds it deleted. */
async function deleteForAll(
  change: MessageChanger,
  subject: Parameters<MessageChanger>[0],
): Promise<Results["delete"]> {
  await change(subject, { kind: "delete" })
  return { deleted: 1, cancelled: 0 }
}
