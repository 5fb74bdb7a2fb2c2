import { Fault } from "../../errors.ts"
import type { Entry, RegistryState } from "../../registrar/registry-state.ts"
import { display, displayName, safe, type SafeText } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { ledgerFile } from "./ledger.ts"

export type LogOptions = {
  /** Without a link only the chain itself is checked. */
  readonly verify?: true | string
}

/**
 * Everything that the registrar did, oldest first. Reading checks the chain, so a printed log is whole. `--verify`
 * prints only that, and the last link, to note elsewhere and pass in later. Faults `bad-data` for a log that was
 * changed or lacks that link.
 */
export async function brokerLog(context: Context, { verify }: LogOptions): Promise<void> {
  const { readLedger } = await import("../../registrar/ledger.ts")
  const ledger = await readLedger(ledgerFile(context))
  if (ledger === undefined) throw new Fault("no-profile", "there is no broker here yet", "mqttchat broker")
  const { lines: entries, state } = ledger
  if (verify !== undefined) printVerified(context, entries, verify)
  else for (const logged of entries) printEntry(context, state, logged)
}

type LoggedEntry = { readonly link: string; readonly entry: Entry }

function printVerified({ out }: Context, entries: readonly LoggedEntry[], since: true | string): void {
  if (since !== true && !entries.some(({ link }) => link === since.toLowerCase())) {
    const message = "the log does not have that link: the log was cut off or rewritten after you noted it"
    throw new Fault("bad-data", message, "compare with a copy of registrar.ledger")
  }
  const last = entries.at(-1)?.link ?? ""
  if (out.json) out.record("mqttchat/log-verified/1", { entries: entries.length, link: last })
  else {
    out.data(safe`${entries.length} entries, whole; last link ${display(last)}`)
    out.next(safe`note the link elsewhere; later: mqttchat broker log --verify LINK`)
  }
}

function printEntry({ out }: Context, state: RegistryState, { link, entry }: LoggedEntry): void {
  if (out.json) out.record("mqttchat/log/1", { link, ...entry })
  else out.data(safe`${formatTime(entry.at)}  ${describe(state, entry)}`)
}

function describe(state: RegistryState, entry: Entry): SafeText {
  switch (entry.kind) {
    case "invited":
      return safe`${entry.by === null ? safe`the operator` : ownerOf(state, entry.by)} invited ${userOf(state, entry.user)}`
    case "admitted":
      return safe`${userOf(state, entry.user)} registered the device ${deviceOf(entry.device)} (${displayName(entry.deviceName)})`
    case "restored":
      return safe`${userOf(state, entry.user)} restored a backup on the device ${deviceOf(entry.device)} (${displayName(entry.deviceName)}), which replaces ${deviceOf(entry.replaces)}`
    case "renewed":
      return safe`${ownerOf(state, entry.device)} renewed the certificate of ${deviceOf(entry.device)}`
    case "renamed":
      return safe`a user is now called ${displayName(entry.name)}`
    case "revoked":
      return revocation(state, entry)
    case "expelled":
      return safe`the broker ended ${deviceOf(entry.device)} of ${ownerOf(state, entry.device)}`
    case "imported":
      return safe`the broker was imported from an export`
    case "inviters":
      return entry.members ? safe`members may invite` : safe`only the operator may invite`
    case "authority":
      return safe`the authority with the pin ${display(entry.pin)} signs`
  }
}

function revocation(state: RegistryState, { user, device }: Extract<Entry, { kind: "revoked" }>): SafeText {
  if (device === null) return safe`the operator shut ${userOf(state, user)} out`
  return safe`the operator shut the device ${deviceOf(device)} of ${userOf(state, user)} out`
}

function userOf(state: RegistryState, user: string): SafeText {
  return displayName(state.users.get(user)?.name || "someone")
}

function ownerOf(state: RegistryState, device: string): SafeText {
  return userOf(state, state.devices.get(device)?.user ?? "")
}

function deviceOf(device: string): SafeText {
  return display(device.slice(0, 8))
}

function formatTime(ms: number): SafeText {
  return display(new Date(ms).toISOString().slice(0, 19).replace("T", " "))
}
