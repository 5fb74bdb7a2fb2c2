import type { Contact } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { display, displayName, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { readTimer, TIMER_FORM } from "../terminal/duration.ts"
import { openClient } from "../profile/open-client.ts"
import { shellCommand } from "../../shell-command.ts"

export type PrivacyFlags = {
  readonly readReceipts?: "on" | "off"
  readonly typing?: "on" | "off"
  /** Ms. */
  readonly receiptDelay?: number
}

/** Sets how long messages of a conversation are kept, or shows it. */
export async function timer(context: Context, name: string, time: string | undefined): Promise<void> {
  const { client } = await openClient(context, "brief")
  const { out } = context
  const seconds = time === undefined ? undefined : secondsOf(time)
  const contact =
    seconds === undefined
      ? (await client.call("verify", { contact: name })).contact
      : await client.call("timer", { contact: name, timerSeconds: seconds })
  const { record, data } = seconds === undefined ? out : out.report
  if (out.json) record("mqttchat/contact/1", contact)
  else data(timerRow(contact))
}

function secondsOf(time: string): number {
  const seconds = time === "off" ? 0 : readTimer(time)
  if (seconds !== undefined) return seconds
  throw new Fault("usage", `${time} is not a time: ${TIMER_FORM}, or off`, "mqttchat timer --help")
}

function timerRow({ name, timerSeconds: seconds }: Contact): SafeText {
  const what = seconds === 0 ? safe`stay` : safe`disappear ${seconds} s after they were read`
  return safe`messages with ${displayName(name)} ${what}`
}

/** Sets what a contact is told, or shows it. Settings without a flag stay as they are. */
export async function privacy(context: Context, name: string, flags: PrivacyFlags): Promise<void> {
  const { client } = await openClient(context, "brief")
  const { out } = context
  const { contact: before } = await client.call("verify", { contact: name })
  const isChange = Object.keys(flags).length > 0
  const contact = isChange
    ? await client.call("privacy", {
        contact: name,
        readReceipts: flags.readReceipts === undefined ? before.readReceipts : flags.readReceipts === "on",
        typingIndicators: flags.typing === undefined ? before.typingIndicators : flags.typing === "on",
        receiptDelayMs: flags.receiptDelay ?? before.receiptDelayMs,
      })
    : before
  const { record, data } = isChange ? out.report : out
  if (out.json) record("mqttchat/contact/1", contact)
  else for (const row of privacyRows(contact)) data(row)
}

function privacyRows({ readReceipts, typingIndicators, receiptDelayMs }: Contact): SafeText[] {
  const onOff = (isOn: boolean): SafeText => (isOn ? safe`on` : safe`off`)
  return [
    safe`read receipts  ${onOff(readReceipts)}`,
    safe`typing         ${onOff(typingIndicators)}`,
    safe`receipt delay  ${display(receiptDelayMs === 0 ? "none" : `up to ${receiptDelayMs} ms`)}`,
  ]
}

/** Starts a new session with a contact, for when one side has lost its state. */
export async function reset(context: Context, name: string): Promise<void> {
  const { client } = await openClient(context, "brief")
  await client.call("reset", { contact: name })
  context.out.done(
    safe`a new session with ${displayName(name)} is being set up; it is ready once ${displayName(name)} has been online`,
  )
}

/** Moves name and history to a contact's new keys. */
export async function replaceContact(
  context: Context,
  replacement: { readonly contact: string; readonly newContact: string },
): Promise<void> {
  const { client } = await openClient(context, "brief")
  const { name } = await client.call("replace", replacement)
  const { out } = context
  out.done(safe`${displayName(name)} has the new key; nothing is sent until you have compared it`)
  out.next(shellCommand`mqttchat verify ${name}`)
}
