import type { Results } from "../../engine/api.ts"
import { displayName, safe, type SafeText } from "../../wire/text.ts"
import { openClient } from "../profile/open-client.ts"
import type { Context } from "../terminal/context.ts"
import { countOf } from "../terminal/format.ts"
import { askYes } from "../terminal/prompts.ts"
import { findMessage } from "./find-message.ts"

/** Deletes the one message whose id begins with `typed`. Faults `not-found`, `usage`. */
export async function deleteMessage(context: Context, typed: string): Promise<void> {
  const { client } = await openClient(context, "brief")
  const { contact, contactId, id } = await findMessage(client, typed)
  report(context, displayName(contact), await client.call("delete", { contact: contactId, id }))
}

/** Deletes every message with a contact, who stays; asks first, unless `confirmed`. Faults `not-found`. */
export async function deleteAll(
  context: Context,
  request: { contact: string; confirmed: boolean },
): Promise<void> {
  const { client } = await openClient(context, "brief")
  const { contact } = await client.call("verify", { contact: request.contact })
  const name = displayName(contact.name)
  const message = safe`Delete every message with ${name} here?`
  if (!request.confirmed && !(await askYes(context, { message, suggested: false, flag: "--yes" }))) return
  report(context, name, await client.call("delete-all", { contact: contact.id }))
}

function report({ out }: Context, name: SafeText, deleted: Results["delete"]): void {
  if (out.json) out.report.record("mqttchat/deleted/1", deleted)
  out.done(safe`${countOf(deleted.deleted, "message")} deleted here; ${name} keeps what has arrived`)
  if (deleted.cancelled > 0)
    out.info(safe`${countOf(deleted.cancelled, "message")} had not been sent and will not be`)
}
