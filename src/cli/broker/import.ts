import { createReadStream, rmSync } from "node:fs"
import { randomBytes } from "node:crypto"
import { Fault } from "../../errors.ts"
import { makePrivateFolder } from "../../fs/private-folder.ts"
import { readStream } from "../../keystore/sealed-stream.ts"
import { formatAddress } from "../../wire/address.ts"
import { display, safe } from "../../wire/text.ts"
import type { Context } from "../terminal/context.ts"
import { countOf } from "../terminal/format.ts"
import { unreadable } from "../terminal/input.ts"
import { givenPassphrase, PASSPHRASE_FLAG } from "../terminal/passphrase.ts"
import { askSecret } from "../terminal/prompts.ts"
import { hasBroker, moveIn, unfinishedFolder } from "./import-folder.ts"
import { completeParts, writeParts, type ImportedParts } from "./import-parts.ts"
import { holdBrokerLock } from "./registrar.ts"

const NONCE_BYTES = 8

export type BrokerImportOptions = {
  /** A broker that is here is kept next to it. */
  readonly replace?: boolean
  /** Passphrase for the keys, if not that of the export. */
  readonly newPassphraseFile?: string
  /** False for --no-passphrase. */
  readonly passphrase: boolean
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
  const name = file === "-" ? "what came on stdin" : file
  const sealed = await readStream(bytesOf(context, file), name, "broker")
  const passphrase = await passphraseOf(context, file)
  const broker = unfinishedFolder(paths, randomBytes(NONCE_BYTES).toString("hex"))
  lifetime.defer(() => rmSync(broker, { recursive: true, force: true }))
  makePrivateFolder(broker)
  const unfinished = { paths: { ...paths, broker } }
  const keys = await writeParts(unfinished, sealed.unlock(passphrase), (hadOne) =>
    keyPassphrase(context, options, hadOne ? passphrase : ""),
  )
  const imported = await completeParts(unfinished, keys, Date.now())
  printImported(context, imported, moveIn(paths, broker, Date.now()))
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

async function* bytesOf({ lifetime }: Context, file: string): AsyncGenerator<Uint8Array> {
  const source = file === "-" ? process.stdin : createReadStream(file)
  lifetime.defer(() => void source.destroy())
  try {
    yield* source as AsyncIterable<Uint8Array>
  } catch (cause) {
    throw unreadable(file, cause)
  }
}

async function passphraseOf(context: Context, file: string): Promise<string> {
  const given = await givenPassphrase(context)
  if (given !== undefined) return given
  // stdin carries the export, so it cannot be used to ask.
  const askContext = { ...context, isInteractive: context.isInteractive && file !== "-" }
  return askSecret(askContext, { message: safe`Passphrase of the export:`, flag: PASSPHRASE_FLAG })
}

/** As on the machine that it comes from, unless the user says otherwise. */
async function keyPassphrase(
  context: Context,
  options: BrokerImportOptions,
  asBefore: string,
): Promise<string> {
  const { newPassphraseFile: file, passphrase: wanted } = options
  if (!wanted) return ""
  return file === undefined ? asBefore : ((await givenPassphrase({ ...context, passphrase: { file } })) ?? "")
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
