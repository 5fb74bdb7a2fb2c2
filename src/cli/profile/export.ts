import { createReadStream, existsSync, rmSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { randomBytes } from "node:crypto"
import type { Results } from "../../engine/api.ts"
import { Fault } from "../../errors.ts"
import { diskFault } from "../../fs/disk-fault.ts"
import { wholeSettings } from "../../settings.ts"
import { LOOPBACK } from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import { readBrokerDescriptor } from "./broker-descriptor.ts"
import type { Context } from "../terminal/context.ts"
import { openClient } from "./open-client.ts"
import { givenPassphrase, PASSPHRASE_FLAG } from "../terminal/passphrase.ts"
import { askSecret } from "../terminal/prompts.ts"
import { countOf } from "../terminal/format.ts"
import { shellCommand } from "../../shell-command.ts"

export type ExportOptions = {
  /** File with the backup's own passphrase, if it is not that of the keys. */
  readonly backupPassphraseFile?: string
}

/** Writes a backup to `file`, or for `-` to stdout. Faults `exists`, `usage`, and those of the owner. */
export async function exportBackup(context: Context, file: string, options: ExportOptions): Promise<void> {
  if (file === "-" && process.stdout.isTTY) {
    throw new Fault("usage", "a backup cannot be shown in a terminal", "mqttchat export FILE")
  }
  const path = file === "-" ? temporaryPath(context) : newPath(file)
  const { client } = await openClient(context, "brief")
  const passphrase = await chosenPassphrase(context, options)
  if (file === "-") context.lifetime.defer(() => rmSync(path, { force: true }))
  const made = await client.call("export", { path, passphrase })
  if (file === "-" && !(await copyToStdout(context, path))) return
  printExported(context, file, made)
}

/** An absolute path: the owner may have another working directory. */
function newPath(file: string): string {
  const path = resolve(file)
  if (existsSync(path)) throw new Fault("exists", `${file} exists already and is never overwritten`)
  if (existsSync(dirname(path))) return path
  throw new Fault("not-found", `there is no folder ${dirname(path)}`, `mkdir ${dirname(path)}`)
}

/** A backup for stdout is first written, sealed, to the profile's folder: the owner may be another process. */
function temporaryPath({ paths }: Context): string {
  return join(paths.root, `export-${randomBytes(8).toString("hex")}.backup`)
}

/** True if stdout took all of it. */
async function copyToStdout({ out }: Context, path: string): Promise<boolean> {
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
      out.bytes(chunk)
      if (!(await out.flushed())) return false
    }
    return true
  } catch (cause) {
    throw diskFault(cause, "read the backup")
  }
}

async function chosenPassphrase(
  context: Context,
  { backupPassphraseFile: file }: ExportOptions,
): Promise<string> {
  const source = file === undefined ? context : { ...context, passphrase: { file } }
  const passphrase = (await givenPassphrase(source)) ?? (await askPassphrase(context))
  if (passphrase !== "") return passphrase
  throw new Fault(
    "usage",
    "a backup needs a passphrase: without one, anyone who finds it could pretend to be you",
    "try again",
  )
}

async function askPassphrase(context: Context): Promise<string> {
  const flag = `--backup-passphrase-file FILE, ${PASSPHRASE_FLAG}`
  const first = await askSecret(context, { message: safe`Passphrase for the backup:`, flag })
  if (first === "") return first
  const again = await askSecret(context, { message: safe`The same again:`, flag })
  if (first !== again) throw new Fault("usage", "the two passphrases are not the same", "try again")
  return first
}

function printExported(context: Context, file: string, { contacts, messages }: Results["export"]): void {
  const { out } = context
  if (out.json && file !== "-") out.report.record("mqttchat/exported/1", { file, contacts, messages })
  const where = file === "-" ? safe`` : safe` to ${display(file)}`
  out.done(safe`saved${where}: ${countOf(contacts, "contact")}, ${countOf(messages, "message")}`)
  warnAboutOwnBroker(context)
  if (file !== "-") out.next(safe`on the new machine: ${shellCommand`mqttchat import ${file}`}`)
}

/** The broker of this laptop is not part of a profile. */
function warnAboutOwnBroker(context: Context): void {
  const { out, paths } = context
  if (wholeSettings(paths.settings)?.here !== true) return
  out.warn(safe`your broker stays on this laptop: it has to keep running here`)
  if (readBrokerDescriptor(paths)?.address.host !== LOOPBACK) return
  const advice = out.advised(safe`mqttchat broker --lan`)
  out.warn(safe`and only this laptop can reach it; before the export: ${advice}`)
}
