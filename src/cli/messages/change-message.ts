import type { Message } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { shellCommand } from "../../shell-command.ts"
import { isEmoji } from "../../wire/emoji.ts"
import { displayName, displayRow, safe } from "../../wire/text.ts"
import { settledStatus } from "../profile/connection-status.ts"
import { findMessage } from "./find-message.ts"
import { checkLength, outboxEntryOf, savedForLater, type SendContext, type Written } from "./messages.ts"

const MESSAGE_SCHEMA = "mqttchat/message/1"

export type EditOptions = {
  /** The beginning of the id. */
  readonly id: string
  readonly contact?: string | undefined
  readonly text: string
}

/** Gives a message of ours another text. Faults `not-found`, `refused`, and `queued` if it goes out later. */
export async function editText(context: SendContext, { id, contact, text }: EditOptions): Promise<void> {
  checkLength(text)
  const found = await ownMessage(context, { id, contact }, "edit")
  if (contact === undefined && text === found.contact) throw notAText(found)
  const message = await context.client.call("edit", { contact: found.contactId, id: found.id, text })
  await reportChange(context, message, "edit")
  context.out.done(safe`edited; ${displayName(message.contact)} gets the new text`)
}

/** Gives our reaction to a message, or with null takes it away. Faults as above. */
export async function reactTo(context: SendContext, typed: string, emoji: string | null): Promise<void> {
  if (emoji !== null && !isEmoji(emoji))
    throw new Fault("bad-data", `${emoji} is not one emoji`, shellCommand`mqttchat react ${typed} 👍`)
  const found = await findMessage(context.client, typed)
  const { contactId: contact, id } = found
  if (emoji === null && !found.reactions.some(({ mine }) => mine)) {
    if (context.out.json) context.out.report.record(MESSAGE_SCHEMA, found)
    context.out.done(safe`you have no reaction to this message`)
    return
  }
  const message = await context.client.call("react", { contact, id, emoji })
  await reportChange(context, message, "reaction")
  const name = displayName(message.contact)
  context.out.done(
    emoji === null ? safe`reaction taken away; ${name} is told` : safe`${displayRow(emoji)} goes to ${name}`,
  )
}

/** A message of ours. Fault `refused` for one of theirs: only its author can change it. */
export async function ownMessage(
  { client }: SendContext,
  { id, contact }: Omit<EditOptions, "text">,
  what: "edit" | "delete",
): Promise<Message> {
  const found = await findMessage(client, id, { mine: true, ...(contact === undefined ? {} : { contact }) })
  if (found.mine) return found
  const hint =
    what === "edit"
      ? shellCommand`mqttchat send ${found.contact} --reply ${found.id} TEXT`
      : shellCommand`mqttchat delete ${found.id}`
  const why = `${found.contact} wrote it: only they can ${what} it${what === "delete" ? " for both" : ""}`
  throw new Fault("refused", why, hint)
}

/** With a name and no text, a script would replace its message by the name. */
function notAText({ contact, id }: Message): Fault {
  const why = `${contact} is the contact's name: give the name and the new text`
  return new Fault("usage", why, shellCommand`mqttchat send ${contact} --edit ${id} TEXT`)
}

/** It is stored; whether it goes out now is known once the first try to connect is over. */
async function reportChange(
  context: SendContext,
  message: Message,
  kind: "edit" | "reaction",
): Promise<void> {
  if (context.out.json) context.out.report.record(MESSAGE_SCHEMA, message)
  await goesOutNow(context, { id: message.id, kind })
}

/** Fault `queued` if the connection is down or the contact has to do something first, or that of the connection. */
export async function goesOutNow(context: SendContext, change: Written): Promise<void> {
  const { connection } = await settledStatus(context.client)
  const isOnline = connection.kind === "online"
  if (isOnline && (await outboxEntryOf(context.client, change))?.nextAt !== null) return
  throw await savedForLater(context, change)
}
