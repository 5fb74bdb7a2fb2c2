import { Fault } from "../../errors.ts"
import type { Entry, Roll } from "../../registrar/roll.ts"
import { display, displayName, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../context.ts"
import { ledgerFile } from "./ledger.ts"

export type LogOptions = {
  /** Without a link only the chain itself is checked. */
  readonly verify?: true | string
}

/**
 * Everything that the registrar did, oldest first. Reading checks the chain, so a log that is printed is whole; with
 * `--verify` only that is said, and the last link, to be noted elsewhere and asked for later. Faults `bad-data` for a
 * log that was changed or lacks the link that was asked for.
 */
export async function brokerLog(context: Context, { verify }: LogOptions): Promise<void> {
  const { readLedger } = await import("../../registrar/ledger.ts")
  const written = await readLedger(ledgerFile(context))
  if (written === undefined) throw new Fault("no-profile", "there is no broker here yet", "mqttchat broker")
  const { lines, roll } = written
  if (verify !== undefined) tellWhole(context, lines, verify)
  else for (const line of lines) tell(context, roll, line)
}

type Line = { readonly link: string; readonly entry: Entry }

function tellWhole({ out }: Context, lines: readonly Line[], since: true | string): void {
  if (since !== true && !lines.some(({ link }) => link === since.toLowerCase())) {
    const message = "the log does not hold that link: it was cut off or written anew after it was noted"
    throw new Fault("bad-data", message, "compare with a copy of registrar.ledger")
  }
  const last = lines.at(-1)?.link ?? ""
  if (out.json) out.record("mqttchat/log-verified/1", { entries: lines.length, link: last })
  else {
    out.data(safe`${lines.length} entries, whole; last link ${display(last)}`)
    out.next(safe`note the link elsewhere; later: mqttchat broker log --verify LINK`)
  }
}

function tell({ out }: Context, roll: Roll, { link, entry }: Line): void {
  if (out.json) out.record("mqttchat/log/1", { link, ...entry })
  else out.data(safe`${moment(entry.at)}  ${sentence(roll, entry)}`)
}

function sentence(roll: Roll, entry: Entry): SafeText {
  switch (entry.kind) {
    case "invited":
      return safe`${entry.by === null ? safe`the operator` : ownerOf(roll, entry.by)} invited ${userOf(roll, entry.user)}`
    case "admitted":
      return safe`${userOf(roll, entry.user)} came in with the device ${deviceOf(entry.device)} (${displayName(entry.deviceName)})`
    case "restored":
      return safe`${userOf(roll, entry.user)} went on from a backup with the device ${deviceOf(entry.device)} (${displayName(entry.deviceName)}) in place of ${deviceOf(entry.replaces)}`
    case "renewed":
      return safe`${ownerOf(roll, entry.device)} renewed the certificate of ${deviceOf(entry.device)}`
    case "renamed":
      return safe`a user is now called ${displayName(entry.name)}`
    case "revoked":
      return revocation(roll, entry)
    case "expelled":
      return safe`the broker ended ${deviceOf(entry.device)} of ${ownerOf(roll, entry.device)}`
    case "inviters":
      return entry.members ? safe`members may invite` : safe`only the operator may invite`
    case "authority":
      return safe`the authority with the pin ${display(entry.pin)} signs`
  }
}

function revocation(roll: Roll, { user, device }: Extract<Entry, { kind: "revoked" }>): SafeText {
  if (device === null) return safe`the operator shut ${userOf(roll, user)} out`
  return safe`the operator shut the device ${deviceOf(device)} of ${userOf(roll, user)} out`
}

function userOf(roll: Roll, user: string): SafeText {
  return displayName(roll.users.get(user)?.name || "somebody")
}

function ownerOf(roll: Roll, device: string): SafeText {
  return userOf(roll, roll.devices.get(device)?.user ?? "")
}

function deviceOf(device: string): SafeText {
  return display(device.slice(0, 8))
}

function moment(ms: number): SafeText {
  return display(new Date(ms).toISOString().slice(0, 19).replace("T", " "))
}
