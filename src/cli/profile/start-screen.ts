import { existsSync } from "node:fs"
import { setTimeout } from "node:timers/promises"
import type { Contact, Results } from "../../engine/api.ts"
import { connectOwner } from "../../daemon/client.ts"
import { Fault } from "../../errors.ts"
import { needsPassphrase } from "../../keystore/sealed-file.ts"
import { wholeSettings } from "../../settings.ts"
import { VERSION } from "../../version.ts"
import { display, displayName, joined, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { countOf } from "../terminal/format.ts"
import { hasPassphrase } from "../terminal/passphrase.ts"
import { silentOwner } from "../terminal/silent-process.ts"
import { settledStatus } from "./connection-status.ts"
import { openClient, type OpenedClient } from "./open-client.ts"
import { hasProfile, requireProfile } from "./profile-exists.ts"
import { nextCommands, type NextCommand } from "./next-commands.ts"
import type { ProfileState } from "./profile-state.ts"
import { LABEL_MARGIN, statusRows } from "./status.ts"

/** A screen that waits longer for a broker seems to hang. */
const CONNECT_WAIT_MS = 3_000
const NAMES_MAX = 5

/** What `mqttchat` alone prints: how things are, and which commands fit. It asks for nothing, and changes nothing. */
export async function showStartScreen(context: Context): Promise<void> {
  const { out, profile } = context
  const state = await stateOf(context)
  if (out.json) {
    out.record("mqttchat/start/1", { profile, version: VERSION, ...described(state) })
    return
  }
  out.data(safe`mqttchat ${display(VERSION)}: private chat over an MQTT broker`)
  out.data(safe``)
  for (const row of stateRows(profile, state)) out.prose(row, LABEL_MARGIN)
  out.data(safe``)
  for (const row of commandRows(context, nextCommands(state))) out.data(row)
  out.data(safe``)
  out.data(safe`All commands: ${out.advised(safe`mqttchat help`)}`)
}

function commandRows({ out }: Context, commands: readonly NextCommand[]): readonly SafeText[] {
  const lines = commands.map(({ line }) => out.advised(display(line)))
  const width = Math.max(...lines.map((line) => line.length))
  return commands.map(
    ({ about }, at) => safe`  ${display((lines[at] ?? "").padEnd(width))}   ${display(about)}`,
  )
}

async function stateOf(context: Context): Promise<ProfileState> {
  if (!hasProfile(context) && !existsSync(context.paths.database)) return { kind: "no-profile" }
  try {
    requireProfile(context)
    return await openState(context)
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    return { kind: "fault", fault: cause }
  }
}

async function openState(context: Context): Promise<ProfileState> {
  const { paths } = context
  const settings = wholeSettings(paths.settings)
  const owner = await connectOwner(paths.socket, { silence: silentOwner(paths) })
  await owner?.close()
  const isLocked = await needsPassphrase({ path: paths.keyFile, purpose: "identity" })
  if (owner === undefined && isLocked && !hasPassphrase(context))
    return { kind: "locked", settings, isDaemon: false }
  const opened = await openClient(context, "brief")
  const status = await caughtUpStatus(opened)
  if (status.locked) return { kind: "locked", settings, isDaemon: true }
  const contacts = await opened.client.call("contacts", {})
  return { kind: "open", status, contacts, owner: opened.owner, here: settings?.here === true }
}

/** With what the broker kept for us, if that comes soon. */
async function caughtUpStatus({ client, owner }: OpenedClient): Promise<Results["status"]> {
  const status = await settledStatus(client, CONNECT_WAIT_MS)
  if (owner === "another" || status.connection.kind !== "online") return status
  await Promise.race([client.call("catch-up", {}), setTimeout(CONNECT_WAIT_MS, undefined, { ref: false })])
  return client.call("status", {})
}

function described(state: ProfileState): object {
  switch (state.kind) {
    case "no-profile":
      return { state: state.kind }
    case "locked":
      return { state: state.kind, daemon: state.isDaemon, name: state.settings?.name ?? null }
    case "fault": {
      const { code, message, hint = null } = state.fault
      return { state: state.kind, code, message, hint }
    }
    case "open":
      return { state: state.kind, contacts: state.contacts.length, status: state.status }
  }
}

function stateRows(profile: string, state: ProfileState): readonly SafeText[] {
  switch (state.kind) {
    case "no-profile":
      return [safe`There is no profile ${display(profile)} on this laptop yet.`]
    case "locked": {
      const name = state.settings === undefined ? safe`` : safe` (${displayName(state.settings.name)})`
      const whose = state.isDaemon ? safe`the daemon's keys are locked` : safe`its keys are locked`
      return [
        safe`profile   ${display(profile)}${name}`,
        safe`messages  not shown: ${whose}, and nothing was asked`,
      ]
    }
    case "fault":
      return [safe`profile   ${display(profile)}`, safe`problem   ${display(state.fault.message)}`]
    case "open":
      return [
        safe`profile   ${display(profile)} (${displayName(state.status.name)})`,
        safe`contacts  ${contactsText(state.contacts)}`,
        ...statusRows(state.status, state.owner),
      ]
  }
}

function contactsText(contacts: readonly Contact[]): SafeText {
  if (contacts.length === 0) return safe`none yet`
  const names = contacts.filter(({ unread }) => unread > 0).map(({ name }) => displayName(name))
  const rest = names.length > NAMES_MAX ? [safe`${names.length - NAMES_MAX} more`] : []
  const from =
    names.length === 0
      ? safe``
      : safe`; new messages from ${joined([...names.slice(0, NAMES_MAX), ...rest], ", ")}`
  return safe`${countOf(contacts.length, "contact")}${from}`
}
