import type { ChatClient, Message } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { shellCommand } from "../../shell-command.ts"
import { display, type SafeText } from "../../wire/text.ts"

/** Digits of a whole id. */
const ID_DIGITS = 16
/** Among a hundred thousand messages, one in forty thousand begins like another. */
const SHOWN_DIGITS = 8

/** The beginning of an id, by which people name a message. */
export function shortId(id: string): SafeText {
  return display(id.slice(0, SHOWN_DIGITS))
}

export type Search = {
  /** The conversation that the message must be in. */
  readonly contact?: string
  /** Which of two messages is meant that have the same id: each author chooses their own. */
  readonly mine?: boolean
  /** What to do about a wrong id, if it is not to list the ids. */
  readonly hint?: string
}

/** The one message whose id begins with `typed`. Faults `not-found`, `usage`. */
export async function findMessage(
  client: ChatClient,
  typed: string,
  { contact, mine = false, hint = idsCommand(contact) }: Search = {},
): Promise<Message> {
  const id = typed.toLowerCase()
  if (!new RegExp(`^[0-9a-f]{1,${ID_DIGITS}}$`).test(id))
    throw new Fault("usage", `an id is up to ${ID_DIGITS} digits from 0 to 9 and a to f`, hint)
  const found = await client.call("find", { id, ...(contact === undefined ? {} : { contact }) })
  const ids = new Set(found.map((message) => message.id))
  const meant = found.find((message) => message.mine === mine) ?? found[0]
  if (meant === undefined) throw new Fault("not-found", `no message has an id that begins with ${id}`, hint)
  if (ids.size === 1) return meant
  const all = [...ids].join(", ")
  throw new Fault("usage", `more than one id begins with ${id}, give more digits: ${all}`, hint)
}

function idsCommand(contact: string | undefined): string {
  return contact === undefined
    ? "mqttchat history NAME --ids"
    : shellCommand`mqttchat history --ids ${contact}`
}
