import { existsSync, renameSync, statSync } from "node:fs"
import { join } from "node:path"
import { type Authority, makeAuthority } from "../../broker/certificates.ts"
import type { SecretKey } from "../../crypto/bytes.ts"
import { boxKeyPair } from "../../crypto/nacl.ts"
import { systemRandom } from "../../crypto/random.ts"
import { Fault } from "../../errors.ts"
import { diskFault } from "../../fs/disk-fault.ts"
import { needsPassphrase, openFile, sealFile } from "../../keystore/sealed-file.ts"
import { decode, type Reader, Writer } from "../../wire/codec.ts"
import { readText } from "../../wire/text.ts"
import { ledgerFile, makeLedger } from "./ledger.ts"
import type { Context } from "../terminal/context.ts"
import { givenPassphrase, passphraseToOpen } from "../terminal/passphrase.ts"

const VERSION = 1
/** PEM of a P-256 certificate or key is under 1 kB. */
const PEM_BYTES_MAX = 8192
const SECRET_BYTES = 32

/** What whoever has it can let anybody in with. */
export type BrokerKeys = { readonly authority: Authority; readonly registrarSecret: SecretKey }

/** Where they lie. */
export function brokerKeyTarget({ paths }: Pick<Context, "paths">) {
  return { path: join(paths.broker, "broker.key"), purpose: "registrar" } as const
}

/**
 * The broker's sealed keys, made at its first start. A passphrase is only asked for if there is one. With
 * `newAuthority` they are made anew and the old ones laid aside: everybody then has to be invited again. Fault
 * `damaged-key-file` where only one of keys and ledger is left.
 */
export async function brokerKeys(context: Context, newAuthority = false): Promise<BrokerKeys> {
  const target = brokerKeyTarget(context)
  if (newAuthority) archive(target.path)
  else refuseLoss(target.path, ledgerFile(context))
  if (!existsSync(target.path)) {
    await makeLedger(context)
    const keys = { authority: await makeAuthority(), registrarSecret: boxKeyPair(systemRandom).secretKey }
    await sealFile(target, encode(keys), givenPassphrase(context) ?? "", systemRandom)
    return keys
  }
  const passphrase = (await needsPassphrase(target)) ? await passphraseToOpen(context) : ""
  const { contents } = await openFile(target, passphrase, systemRandom)
  const keys = decode(contents, read)
  if (keys !== undefined) return keys
  throw new Fault("damaged-key-file", `${target.path} was written by another version of mqttchat`)
}

/** A ledger with nothing in it was made for keys that never came to be. */
function refuseLoss(keys: string, ledger: string): void {
  const hasKeys = existsSync(keys)
  const hasLedger = existsSync(ledger)
  const lost =
    hasKeys && !hasLedger ? ledger : !hasKeys && hasLedger && statSync(ledger).size > 0 ? keys : undefined
  if (lost === undefined) return
  throw new Fault(
    "damaged-key-file",
    `${lost} is gone, and what lies beside it is of no use alone`,
    "put back a copy of it, or begin anew with: mqttchat broker --new-authority; everybody then needs a new invitation",
  )
}

/** Nothing is ever deleted here: the old keys may turn out to be wanted. */
function archive(path: string): void {
  try {
    if (existsSync(path)) renameSync(path, `${path}.${Date.now()}.old`)
  } catch (cause) {
    throw diskFault(cause, `move ${path}`)
  }
}

/** version u8 = 1 | certificate and key of the authority, each u16 length and PEM | registrar's box secret 32. */
function encode({ authority, registrarSecret }: BrokerKeys): Uint8Array {
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
