import { existsSync, statSync } from "node:fs"
import { join } from "node:path"
import { type Authority, makeAuthority } from "../../broker/certificates.ts"
import type { SecretKey } from "../../crypto/bytes.ts"
import { boxKeyPair } from "../../crypto/nacl.ts"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import { setAside } from "../../fs/set-aside.ts"
import { needsPassphrase, openFile, sealFile } from "../../keystore/sealed-file.ts"
import { decode, type Reader, Writer } from "../../wire/codec.ts"
import { readText } from "../../wire/text.ts"
import { descriptorFile } from "../profile/broker-descriptor.ts"
import { ledgerFile, makeLedger } from "./ledger.ts"
import type { Context } from "../terminal/context.ts"
import { givenPassphrase, passphraseToOpen } from "../terminal/passphrase.ts"

const VERSION = 1
/** PEM of a P-256 certificate or key is under 1 kB. */
const PEM_BYTES_MAX = 8192
const SECRET_BYTES = 32

/** The keys that decide who may register: who has them can admit any device. */
export type BrokerKeys = { readonly authority: Authority; readonly registrarSecret: SecretKey }

/** Where they lie. */
export function brokerKeyTarget({ paths }: Pick<Context, "paths">) {
  return { path: join(paths.broker, "broker.key"), purpose: "registrar" } as const
}

/**
 * The broker's sealed keys, made at its first start. A passphrase is only asked for if there is one. With
 * `newAuthority` new ones are made and the old ones are renamed: everyone then has to be invited again. Fault
 * `damaged-key-file` if only one of keys and ledger is left.
 */
export async function brokerKeys(context: Context, newAuthority = false): Promise<BrokerKeys> {
  const target = brokerKeyTarget(context)
  // The old keys may still be needed.
  if (newAuthority) setAside(target.path)
  else refuseLoss(context, target.path, ledgerFile(context))
  if (!existsSync(target.path)) {
    await makeLedger(context)
    const keys = { authority: await makeAuthority(), registrarSecret: boxKeyPair(systemRandom).secretKey }
    await sealFile(target, encodeBrokerKeys(keys), (await givenPassphrase(context)) ?? "", systemRandom)
    return keys
  }
  return (await openBrokerKeys(context)).keys
}

/** The keys that are there, and their passphrase: empty for none. Fault `no-profile` if there are none. */
export async function openBrokerKeys(context: Context): Promise<OpenedKeys> {
  const target = brokerKeyTarget(context)
  const passphrase = (await needsPassphrase(target)) ? await passphraseToOpen(context) : ""
  const { contents } = await openFile(target, passphrase, systemRandom)
  const keys = decodeBrokerKeys(contents)
  if (keys !== undefined) return { keys, passphrase }
  throw new Fault("damaged-key-file", `${target.path} was written by another version of mqttchat`)
}

export type OpenedKeys = { readonly keys: BrokerKeys; readonly passphrase: string }

export function decodeBrokerKeys(bytes: Uint8Array): BrokerKeys | undefined {
  return decode(bytes, read)
}

/** An empty ledger was made for keys that were never written. */
function refuseLoss(context: Context, keys: string, ledger: string): void {
  const hasKeys = existsSync(keys)
  const hasLedger = existsSync(ledger)
  if (hasKeys && !hasLedger) throw gone(`${ledger} is`)
  if (!hasKeys && hasLedger && statSync(ledger).size > 0) throw gone(`${keys} is`)
  // The broker writes this one when it has both.
  if (!hasKeys && !hasLedger && existsSync(descriptorFile(context.paths)))
    throw gone(`${keys} and ${ledger} are`)
}

function gone(whatIs: string): Fault {
  return new Fault(
    "damaged-key-file",
    `${whatIs} gone, and the other files of the broker are of no use without`,
    "restore a copy, or start again with: mqttchat broker --new-authority; everyone then needs a new invitation",
  )
}

/** version u8 = 1 | certificate and key of the authority, each u16 length and PEM | registrar's box secret 32. */
export function encodeBrokerKeys({ authority, registrarSecret }: BrokerKeys): Uint8Array {
  const writer = new Writer().u8(VERSION)
  writer.lv16(Buffer.from(authority.caCertificate)).lv16(Buffer.from(authority.caKey))
  return writer.bytes(registrarSecret).done()
}

function read(reader: Reader): BrokerKeys | undefined {
  if (reader.u8() !== VERSION) reader.refuse()
  const caCertificate = readText(reader.lv16(PEM_BYTES_MAX))
  const caKey = readText(reader.lv16(PEM_BYTES_MAX))
  const registrarSecret = reader.bytes(SECRET_BYTES) as SecretKey
  if (caCertificate === undefined || caKey === undefined) return undefined
  return { authority: { caCertificate, caKey }, registrarSecret }
}
