import { shellCommand } from "../../shell-command.ts"
import { displayName, safe } from "../../wire/text.ts"
import { openClient } from "../profile/open-client.ts"
import type { Context } from "../terminal/context.ts"
import { formatTime } from "../terminal/format.ts"

const CONVERSATION_SCHEMA = "mqttchat/conversation/1"

/** Nothing rings or interrupts for a contact, for so many ms or until `unmute`. */
export async function mute(context: Context, name: string, forMs: number | undefined): Promise<void> {
  const { client } = await openClient(context, "brief")
  const { out } = context
  const now = Date.now()
  const until = forMs === undefined ? null : now + forMs
  const conversation = await client.call("mute", { contact: name, until })
  if (out.json) out.report.record(CONVERSATION_SCHEMA, conversation)
  const { contact, mutedUntil } = conversation
  const how = mutedUntil === null ? safe`is muted` : safe`is muted until ${formatTime(mutedUntil, now)}`
  out.done(safe`${displayName(contact)} ${how}; what they write is unread as ever`)
  if (mutedUntil === null) out.next(safe`to end it: ${shellCommand`mqttchat contacts unmute ${contact}`}`)
}

export async function unmute(context: Context, name: string): Promise<void> {
  const { client } = await openClient(context, "brief")
  const { out } = context
  const conversation = await client.call("unmute", { contact: name })
  if (out.json) out.report.record(CONVERSATION_SCHEMA, conversation)
  out.done(safe`${displayName(conversation.contact)} is no longer muted`)
}
