import type { Results } from "../../engine/api.ts"
import { display, displayName, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { openClient } from "./open-client.ts"
import { settledStatus, onlineHint } from "./connection-status.ts"

/** Broker, connection and outbox. */
export async function status(context: Context): Promise<void> {
  const { out } = context
  const { client } = await openClient(context, "brief")
  const found = await settledStatus(client)
  if (out.json) {
    out.record("mqttchat/status/1", found)
    return
  }
  const { connection } = found
  out.data(safe`profile   ${display(context.profile)} (${displayName(found.name)})`)
  out.data(safe`broker    ${display(found.broker ?? "none")}`)
  out.data(safe`link      ${connection.kind === "online" ? safe`connected` : display(connection.reason)}`)
  out.data(safe`outbox    ${outboxText(found)}`)
  if (found.refusedMailboxes > 0)
    out.data(
      safe`mailboxes ${found.refusedMailboxes} refused by the broker: those contacts cannot reach you until you forget or block others`,
    )
  if (found.dropped > 0) out.data(safe`dropped   ${found.dropped} frames that are not from a contact`)
  const hint = connection.kind === "online" ? undefined : onlineHint(context.paths, connection)
  if (hint !== undefined) out.next(safe`  → ${display(hint)}`)
}

function outboxText({ queued, undelivered }: Results["status"]): SafeText {
  if (undelivered === 0) return safe`empty`
  const unsent = queued === 0 ? safe`` : safe`, ${queued} of them not sent`
  return safe`${undelivered} not delivered yet${unsent}`
}
