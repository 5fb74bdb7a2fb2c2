import type { ChatClient, Results } from "../../engine/api.ts"
import { display, displayName, safe, type SafeText } from "../../wire/text.ts"
import { waitUntilCaughtUp } from "../profile/connection-status.ts"
import { openClient } from "../profile/open-client.ts"
import type { Context } from "../terminal/context.ts"
import { groupDigits, markedName } from "../terminal/format.ts"
import { shellCommand } from "../../shell-command.ts"
import { lifeOf } from "./offers.ts"

type Introduction = Results["introduce"]

/** Asks `to` whether they want to meet `contact`, who is asked after that. */
export async function introduce(context: Context, contact: string, to: string): Promise<void> {
  const { client } = await openClient(context, "brief")
  const introduction = await client.call("introduce", { contact, to })
  const { out } = context
  if (out.json) out.report.record("mqttchat/introduction/1", introduction)
  out.done(
    safe`${displayName(introduction.contact)} is asked whether they want to meet ${displayName(introduction.name)}`,
  )
  out.info(safe`If they agree, ${displayName(introduction.name)} is asked too. You do not learn who says no`)
  await sent(context, client)
}

/** A short command would end before what it began has left. */
async function sent({ out }: Context, client: ChatClient): Promise<void> {
  const connection = await waitUntilCaughtUp(client)
  if (connection.kind !== "online") out.warn(safe`it goes out later: ${display(connection.reason)}`)
}

/** Those that wait for an answer, here or elsewhere. */
export async function listIntroductions(context: Context): Promise<void> {
  const { client } = await openClient(context, "brief")
  const { out } = context
  await waitUntilCaughtUp(client)
  const introductions = await client.call("introductions", {})
  for (const introduction of introductions) {
    if (out.json) out.record("mqttchat/introduction/1", introduction)
    else out.data(row(introduction))
  }
  const questions = introductions.filter(({ isQuestion }) => isQuestion)
  if (introductions.length === 0) out.next(safe`no introduction is under way: mqttchat introduce BOB CAROL`)
  else if (questions.length > 0)
    out.next(safe`mqttchat introductions accept NUMBER, or: mqttchat introductions refuse NUMBER`)
}

export async function acceptIntroduction(context: Context, id: number): Promise<void> {
  const { client } = await openClient(context, "shared")
  const introduction = await client.call("introduction-answer", { id, accept: true })
  const { out } = context
  if (out.json) out.report.record("mqttchat/introduction/1", introduction)
  const { contact, name, role } = introduction
  if (role === "owner") {
    out.done(safe`${displayName(contact)} is told that you want to meet ${displayName(name)}`)
    out.info(safe`${displayName(name)} becomes a contact when they agree, too`)
    await sent(context, client)
    return
  }
  const called = await nameOf(client, introduction)
  out.done(
    safe`${markedName(called)} is a contact now, introduced by ${displayName(contact)} and not verified`,
  )
  out.next(shellCommand`mqttchat verify ${called}`)
  await sent(context, client)
}

export async function refuseIntroduction(context: Context, id: number): Promise<void> {
  const { client } = await openClient(context, "brief")
  const introduction = await client.call("introduction-answer", { id, accept: false })
  const { out } = context
  if (out.json) out.report.record("mqttchat/introduction/1", introduction)
  out.done(safe`refused: ${displayName(introduction.contact)} is not told`)
}

/** The name may have got a number. */
async function nameOf(client: ChatClient, { name, contact }: Introduction): Promise<string> {
  const contacts = await client.call("contacts", {})
  return contacts.findLast(({ introducedBy }) => introducedBy === contact)?.name ?? name
}

/** Our own columns come first: a name that others chose cannot shift or imitate them. */
function row(introduction: Introduction): SafeText {
  const { id, fingerprint, expiresAt } = introduction
  const left = safe`${lifeOf(expiresAt)} left`
  return safe`${display(String(id).padStart(3))}  ${groupDigits(fingerprint)}  ${left}  ${whatOf(introduction)}`
}

function whatOf({ role, state, contact, name, isQuestion }: Introduction): SafeText {
  const [other, met] = [displayName(contact), markedName(name)]
  if (role === "introducer")
    return state === "asked"
      ? safe`you asked ${other} whether they want to meet ${met}`
      : safe`${other} agreed to meet ${met}`
  if (!isQuestion) return safe`you agreed to meet ${met}, through ${other}`
  return role === "owner"
    ? safe`${other} asks whether you want to meet ${met}`
    : safe`${other} introduces ${met} to you`
}
