import { existsSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { writeBrokerContents } from "../../backup/broker-contents.ts"
import { pinOf } from "../../broker/certificates.ts"
import { wholeRecords } from "../../broker/queues/journal-file.ts"
import { toHex } from "../../crypto/bytes.ts"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import { createFile } from "../../fs/atomic-file.ts"
import { readIfExists } from "../../fs/read-file.ts"
import { sealStream } from "../../keystore/sealed-stream.ts"
import { readLedger } from "../../registrar/ledger.ts"
import { shellCommand } from "../../shell-command.ts"
import { display, safe } from "../../wire/text.ts"
import { descriptorFile } from "../profile/broker-descriptor.ts"
import type { Context } from "../terminal/context.ts"
import { countOf } from "../terminal/format.ts"
import { newBackupPassphrase } from "../terminal/passphrase.ts"
import { encodeBrokerKeys, openBrokerKeys, type OpenedKeys } from "./keys.ts"
import { JOURNAL_FILE, ledgerFile } from "./ledger.ts"

export type BrokerExportOptions = {
  /** Also what waits for devices that are away. */
  readonly queues?: boolean
  /** File with the export's own passphrase, if it is not that of the keys. */
  readonly backupPassphraseFile?: string
}

/**
 * Writes the broker of this laptop to `file`, or for `-` to stdout. It may be running: keys do not change, and ledger and
 * journal only grow, so what is read of each is what it was at one moment, the ledger's first. Faults `exists`,
 * `no-profile`, `refused`, `usage`, and those of the disk.
 */
export async function exportBroker(
  context: Context,
  file: string,
  options: BrokerExportOptions,
): Promise<void> {
  const { out } = context
  if (file === "-" && process.stdout.isTTY)
    throw new Fault("usage", "an export cannot be shown in a terminal", "mqttchat broker export FILE")
  const path = file === "-" ? undefined : newPath(file)
  const opened = await openBrokerKeys(context)
  const passphrase = await newBackupPassphrase(context, {
    file: options.backupPassphraseFile,
    known: opened.passphrase,
    what: safe`the export`,
  })
  const { users, contents } = await contentsOf(context, opened, options.queues === true)
  const sealed = sealStream(contents, passphrase, systemRandom, "broker")
  if (path !== undefined) await createFile(path, sealed)
  else if (!(await copyToStdout(context, sealed))) return
  if (out.json && path !== undefined) out.report.record("mqttchat/broker-exported/1", { file, users })
  out.done(safe`saved${path === undefined ? safe`` : safe` to ${display(file)}`}: ${countOf(users, "user")}`)
  out.info(safe`who has it and its passphrase can let anyone in: keep it as the keys themselves`)
  if (path !== undefined) out.next(safe`on the new machine: ${shellCommand`mqttchat broker import ${file}`}`)
}

function newPath(file: string): string {
  const path = resolve(file)
  if (existsSync(path)) throw new Fault("exists", `${file} exists already and is never overwritten`)
  if (existsSync(dirname(path))) return path
  throw new Fault("not-found", `there is no folder ${dirname(path)}`, shellCommand`mkdir ${dirname(path)}`)
}

async function copyToStdout({ out }: Context, sealed: AsyncIterable<Uint8Array>): Promise<boolean> {
  for await (const chunk of sealed) {
    out.bytes(chunk)
    if (!(await out.flushed())) return false
  }
  return true
}

async function contentsOf(context: Context, { keys, passphrase }: OpenedKeys, withQueues: boolean) {
  const ledger = await readLedger(ledgerFile(context))
  const bytes = readIfExists(ledgerFile(context))
  if (ledger === undefined || bytes === undefined)
    throw new Fault("damaged-key-file", `${ledgerFile(context)} is gone`, "put back a copy of it")
  const { authority, users } = ledger.state
  if (authority !== undefined && authority !== toHex(pinOf(keys.authority.caCertificate)))
    throw new Fault("unavailable", "the broker is just changing its authority", "try again")
  const settings = readIfExists(descriptorFile(context.paths))
  const journal = wholeRecords(join(context.paths.broker, JOURNAL_FILE))
  const contents = writeBrokerContents([
    { section: "keys", bytes: [Uint8Array.of(passphrase === "" ? 0 : 1), encodeBrokerKeys(keys)] },
    ...(settings === undefined ? [] : [{ section: "settings", bytes: [settings] } as const]),
    // A line that is being written is not acknowledged yet.
    { section: "ledger", bytes: [bytes.subarray(0, bytes.lastIndexOf(0x0a) + 1)] },
    ...(withQueues ? [{ section: "queues", bytes: journal } as const] : []),
  ])
  return { users: users.size, contents }
}
