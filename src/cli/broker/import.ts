import { rmSync } from "node:fs"
import { randomBytes } from "node:crypto"
import { Fault } from "../../errors.ts"
import { makePrivateFolder } from "../../fs/private-folder.ts"
import { formatAddress } from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { countOf } from "../terminal/format.ts"
import { type KeyLockOptions, newKeyPassphrase, openSealedInput } from "../terminal/sealed-input.ts"
import { hasBroker, takeFolder, unfinishedFolder } from "./import-folder.ts"
import { completeParts, writeParts, type ImportedParts } from "./import-parts.ts"
import { holdBrokerLock } from "./registrar.ts"

const NONCE_BYTES = 8

export type BrokerImportOptions = KeyLockOptions & {
  /** A broker that is here is kept next to it. */
  readonly replace?: boolean
}

/**
 * Makes the broker of an export the broker of this laptop. All of it is written next to the broker's folder and checked
 * before it takes that name, so if this stops half-way, what was here before is here. Faults `exists`, `bad-data`,
 * `refused`, and those of the disk.
 */
export async function importBroker(
  context: Context,
  file: string,
  options: BrokerImportOptions,
): Promise<void> {
  const { paths, lifetime } = context
  makePrivateFolder(paths.root)
  holdBrokerLock(context)
  refuseExisting(context, options)
  const { sealed, passphrase } = await openSealedInput(context, file, "broker")
  const broker = unfinishedFolder(paths, randomBytes(NONCE_BYTES).toString("hex"))
  lifetime.defer(() => rmSync(broker, { recursive: true, force: true }))
  makePrivateFolder(broker)
  const unfinished = { paths: { ...paths, broker } }
  const keys = await writeParts(unfinished, sealed.unlock(passphrase), (hadOne) =>
    newKeyPassphrase(context, options, hadOne ? passphrase : ""),
  )
  const imported = await completeParts(unfinished, keys, Date.now())
  printImported(context, imported, takeFolder(paths, broker, Date.now()))
}

function refuseExisting({ paths }: Context, { replace }: BrokerImportOptions): void {
  if (replace === true || !hasBroker(paths)) return
  const message = `there is a broker here already: ${paths.broker}`
  throw new Fault(
    "exists",
    message,
    "mqttchat broker import FILE --replace, which keeps the old one next to it",
  )
}

function printImported({ out }: Context, imported: ImportedParts, kept: string | undefined): void {
  const { users, messages, descriptor } = imported
  if (out.json) out.report.record("mqttchat/broker-imported/1", { users, messages, kept: kept ?? null })
  out.done(
    safe`imported         ${countOf(users, "user")}, ${countOf(messages, "message")} that wait for a device`,
  )
  if (kept !== undefined) out.info(safe`the broker that was here is in ${display(kept)}`)
  out.warn(safe`never start the old one again: devices that meet both notice it, and trust neither`)
  out.next(safe`to start it: mqttchat broker`)
  if (descriptor === undefined) return
  const where = display(formatAddress(descriptor.address))
  out.info(safe`devices look for it at ${where}; if it has another address now, on each of them:`)
  out.info(safe`  mqttchat config set broker HOST[:PORT]`)
}
