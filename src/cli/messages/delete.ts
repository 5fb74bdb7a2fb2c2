import type { Results } from "../../engine/api.ts"
import { displayName, safe, type SafeText } from "../../wire/text.ts"
import { openClient } from "../profile/open-client.ts"
import type { Context } from "../terminal/context.ts"
import { countOf } from "../terminal/format.ts"
import { askYes } from "../terminal/prompts.ts"
import { goesOutNow, ownMessage } from "./change-message.ts"
import { findMessage } from "./find-message.ts"

const DELETED_SCHEMA = "mqttchat/deleted/1"

/** Deletes the one message whose id begins with `typed`, here only. Faults `not-found`, `usage`. */
export async function deleteMessage(context: Context, typed: string): Promise<void> {
  const { client } = await openClient(context, "brief")
  const { contact, contactId, id } = await findMessage(client, typed)
  report(context, displayName(contact), await client.call("delete", { contact: contactId, id }))
}

/** Deletes a message of ours on both sides. Faults as above, `refused`, and `queued` if it goes out later. */
export async function deleteForAll(context: Context, typed: string): Promise<void> {
  const { out } = context
  const opened = { ...(await openClient(context, "brief")), out }
  const { contact, contactId, id } = await ownMessage(opened, { id: typed }, "delete")
  const deleted = await opened.client.call("delete", { contact: contactId, id, forAll: true })
  if (out.json) out.report.record(DELETED_SCHEMA, deleted)
  await goesOutNow(opened, { id, kind: "delete" })
  out.done(safe`deleted here; ${displayName(contact)} is asked to delete it, too`)
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
  if (out.json) out.report.record(DELETED_SCHEMA, deleted)
  out.done(safe`${countOf(deleted.deleted, "message")} deleted here; ${name} keeps what has arrived`)
  if (deleted.cancelled > 0)
    out.info(safe`${countOf(deleted.cancelled, "message")} had not been sent and will not be`)
}
