import type { ConnectionStatus, Results } from "../../engine/api.ts"
import { describeDoubt } from "../../engine/state/clock-doubt.ts"
import { Fault } from "../../errors.ts"
import type { ProfilePaths } from "../../paths.ts"
import { display, displayName, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { countOf } from "../terminal/format.ts"
import { openClient, type OpenedClient } from "./open-client.ts"
import { settledStatus, onlineHint } from "./connection-status.ts"

type Status = Results["status"]
const WITHOUT_TLS = safe`, without TLS: who talks when is open to the network`

type Down = Exclude<ConnectionStatus, { kind: "online" }>

/** Below the text of a labelled row. */
export const LABEL_MARGIN = safe`          `

/**
 * Broker, connection, unread messages and outbox. Faults `offline` while the broker cannot be reached, `protocol` and
 * `refused` if it or we refuse, `config` without a broker, and those of the store.
 */
export async function status(context: Context): Promise<void> {
  const { out, profile, paths } = context
  const { client, owner } = await openClient(context, "asking")
  const found = await settledStatus(client)
  if (out.json) out.record("mqttchat/status/1", found)
  else {
    out.data(safe`profile   ${display(profile)} (${displayName(found.name)})`)
    for (const row of statusRows(found, owner)) out.prose(row, LABEL_MARGIN)
  }
  if (found.connection.kind !== "online") throw downFault(paths, found.connection, triesAgain(found, owner))
}

/** What is so now, a row for each thing. */
export function statusRows(found: Status, owner: OpenedClient["owner"]): readonly SafeText[] {
  const { connection, broker, unread, dropped } = found
  const trouble = ledgerText(found.ledger)
  return [
    safe`broker    ${display(broker ?? "none")}${found.insecureTransport ? WITHOUT_TLS : safe``}`,
    safe`link      ${connection.kind === "online" ? safe`connected` : display(connection.reason)}`,
    safe`daemon    ${daemonText(found, owner)}`,
    safe`unread    ${unread === 0 ? safe`none` : countOf(unread, "message")}`,
    safe`outbox    ${outboxText(found)}`,
    ...(found.clock === null ? [] : [safe`clock     ${display(describeDoubt(found.clock))}`]),
    ...(trouble === undefined ? [] : [safe`ledger    ${trouble}`]),
    ...(found.refusedMailboxes > 0 ? [mailboxesRow(found.refusedMailboxes)] : []),
    ...(dropped > 0 ? [safe`dropped   ${dropped} frames that are not from a contact`] : []),
  ]
}

function mailboxesRow(refused: number): SafeText {
  return safe`mailboxes ${refused} refused by the broker: those contacts cannot reach you until you forget or block others`
}

function daemonText({ daemon, locked }: Status, owner: OpenedClient["owner"]): SafeText {
  if (daemon) return locked ? safe`running, its keys are locked` : safe`running`
  return owner === "us" ? safe`not running` : safe`not running; another command has the profile open`
}

function outboxText({ queued, undelivered }: Status): SafeText {
  if (undelivered === 0) return safe`empty`
  const unsent = queued === 0 ? safe`` : safe`, ${queued} of them not sent`
  return safe`${undelivered} not delivered yet${unsent}`
}

function triesAgain({ daemon }: Status, owner: OpenedClient["owner"]): string {
  if (daemon) return "the daemon keeps trying"
  return owner === "us"
    ? "the next command tries again"
    : "the command that has the profile open keeps trying"
}

function downFault(paths: ProfilePaths, connection: Down, again: string): Fault {
  const hint = onlineHint(paths, connection)
  switch (connection.kind) {
    case "none":
      return new Fault("config", connection.reason, hint)
    case "connecting":
      return new Fault("offline", `the broker has not answered yet; ${again}`, hint ?? "mqttchat doctor")
    case "offline":
    case "stopped":
      return refusalFault(connection, again, hint ?? "mqttchat doctor")
  }
}

function refusalFault(
  { code, reason }: Extract<Down, { code: unknown }>,
  again: string,
  hint: string,
): Fault {
  if (code === "unavailable") return new Fault("offline", `not connected; ${again}`, hint)
  const isRetried = code === "protocol" || code === "refused"
  return new Fault(code, isRetried ? `refused: ${reason}; ${again}` : reason, hint)
}

/** Undefined while the broker's ledger has all that this device knows of. */
function ledgerText({ state, trouble }: Results["status"]["ledger"]): SafeText | undefined {
  if (trouble === null) return undefined
  const since = display(new Date(trouble.since).toISOString().slice(0, 10))
  if (state === "whole") return safe`whole, but since ${since} another one has answered too: mqttchat doctor`
  const what = state === "rolled-back" ? safe`CUT OFF` : safe`ANOTHER ONE`
  return safe`${what} since ${since}: someone who was shut out may come in again: mqttchat doctor`
}
