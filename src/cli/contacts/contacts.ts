import type { Contact, Conversation } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { display, displayName, joined, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import type { Output } from "../terminal/output.ts"
import { normalizedName } from "../terminal/names.ts"
import { askYes } from "../terminal/prompts.ts"
import { contactRow, markedName } from "../terminal/format.ts"
import type { ClientContext } from "../messages/messages.ts"
import { shellCommand } from "../../shell-command.ts"
import { wordsToCome } from "./words.ts"

/** Groups in a row of the safety number: three rows of four are easy to read aloud. */
const GROUPS_IN_ROW = 4

export async function listContacts({ client, out }: ClientContext): Promise<void> {
  const contacts = await client.call("contacts", {})
  const conversations = await client.call("conversations", {})
  const byContact = new Map(conversations.map((each) => [each.contactId, each]))
  for (const contact of contacts) showContact(out, contact, byContact.get(contact.id))
  if (contacts.length === 0) out.next(safe`no contacts yet: mqttchat pair`)
}

export async function renameContact(
  { client, out }: ClientContext,
  contact: string,
  name: string,
): Promise<void> {
  const renamed = await renameAndWarn({ client, out }, contact, name)
  out.done(safe`${displayName(contact)} is now ${markedName(renamed.name)}`)
}

/** A name that looks like another contact's gets a number, and the user is told. */
export async function renameAndWarn(
  { client, out }: ClientContext,
  contact: string,
  typed: string,
): Promise<Contact> {
  const wanted = normalizedName(typed)
  const renamed = await client.call("rename", { contact, name: wanted })
  if (renamed.name !== wanted)
    out.warn(
      safe`another contact's name looks like ${displayName(wanted)}: this one is ${displayName(renamed.name)}`,
    )
  return renamed
}

export async function blockContact({ client, out }: ClientContext, contact: string): Promise<void> {
  await client.call("block", { contact, blocked: true })
  const name = displayName(contact)
  out.done(
    safe`${name} is blocked: what they send from now on is dropped here, unread, and they are not told`,
  )
  out.info(
    safe`Their mqttchat repeats it for up to 30 days, as not delivered. To see it, unblock them in that time: ${shellCommand`mqttchat contacts unblock ${contact} --with-messages`}`,
  )
}

export async function unblockContact(
  { client, out }: ClientContext,
  contact: string,
  withMessages: boolean,
): Promise<void> {
  await client.call("block", { contact, blocked: false, withMessages })
  out.done(safe`${displayName(contact)} is no longer blocked`)
  if (withMessages) out.info(safe`What they sent meanwhile comes as soon as their mqttchat hears of you`)
  else out.info(safe`What they sent meanwhile is left out, and counts as delivered at their side`)
}

/** Deletes a contact and the conversation; asks first, unless `confirmed`. */
export async function forgetContact(
  context: Context,
  { client, out }: ClientContext,
  request: { contact: string; confirmed: boolean },
): Promise<void> {
  const name = displayName(request.contact)
  const message = safe`Delete ${name} and every message with them?`
  if (!request.confirmed && !(await askYes(context, { message, suggested: false, flag: "--yes" }))) return
  await client.call("forget", { contact: request.contact })
  out.done(safe`${name} is forgotten`)
}

/** Shows what to compare with a contact, and marks them verified if it is the same. */
export async function verifyContact(
  context: Context,
  { client, out }: ClientContext,
  request: { contact: string; confirmed: boolean },
): Promise<void> {
  const found = await client.call("verify", { contact: request.contact })
  const name = displayName(found.contact.name)
  const { record, data } = request.confirmed ? out.report : out
  if (out.json) record("mqttchat/verify/1", found)
  else data(comparison(found))
  // what was not seen cannot be compared
  if (!request.confirmed && !(await out.flushed())) return
  const message = safe`Does ${markedName(found.contact.name)} see the same?`
  if (!request.confirmed && !context.isInteractive) {
    if (found.contact.verified) out.info(safe`${name} is VERIFIED`)
    else
      out.next(
        safe`the same on both sides? then: ${shellCommand`mqttchat verify ${found.contact.name} --yes`}`,
      )
    return
  }
  const same = request.confirmed || (await askYes(context, { message, suggested: false, flag: "--yes" }))
  const { words } = found
  await client.call("mark-verified", { contact: found.contact.id, verified: same, words })
  if (same) {
    out.done(safe`${name} is VERIFIED`)
    if (found.contact.blocked)
      out.next(safe`and still blocked: ${shellCommand`mqttchat contacts unblock ${found.contact.name}`}`)
    return
  }
  const why = `what you compared differs: ${found.contact.name} is not who you think, or someone is in between; their side is told`
  throw new Fault("refused", why, shellCommand`mqttchat contacts block ${found.contact.name}`)
}

function comparison(found: { contact: Contact; words: string[]; safetyNumber: string[] }): SafeText {
  const rows: SafeText[] = []
  for (let at = 0; at < found.safetyNumber.length; at += GROUPS_IN_ROW) {
    rows.push(joined(found.safetyNumber.slice(at, at + GROUPS_IN_ROW).map(display), " "))
  }
  const words = found.words.length === 0 ? wordsToCome(found.contact) : joined(found.words.map(display), " ")
  return safe`words to compare       ${words}\nsafety number          ${joined(rows, "\n                       ")}`
}

function showContact(out: Output, contact: Contact, conversation: Conversation | undefined): void {
  if (!out.json) {
    out.data(contactRow(contact, conversation))
    return
  }
  const { muted = false, mutedUntil = null, draft = "" } = conversation ?? {}
  out.record("mqttchat/contact/1", { ...contact, muted, mutedUntil, draft })
}
