import { existsSync } from "node:fs"
import { join } from "node:path"
import { type Authority, makeAuthority } from "../broker/certificates.ts"
import type { SecretKey } from "../crypto/bytes.ts"
import { boxKeyPair } from "../crypto/nacl.ts"
import { systemRandom } from "../crypto/random.ts"
import { Fault } from "../errors.ts"
import { needsPassphrase, openFile, sealFile } from "../keystore/sealed-file.ts"
import { decode, type Reader, Writer } from "../wire/codec.ts"
import { readText } from "../wire/text.ts"
import type { Context } from "./context.ts"
import { givenPassphrase, passphraseToOpen } from "./passphrase.ts"

const VERSION = 1
/** PEM of a P-256 certificate or key is under 1 kB. */
const PEM_BYTES_MAX = 8192
const SECRET_BYTES = 32

/** What whoever has it can let anybody in with. */
export type BrokerKeys = { readonly authority: Authority; readonly registrarSecret: SecretKey }

/** The broker's sealed keys, made at its first start. A passphrase is only asked for if there is one. */
export async function brokerKeys(context: Context): Promise<BrokerKeys> {
  const place = { path: join(context.paths.broker, "broker.key"), purpose: "registrar" } as const
  if (!existsSync(place.path)) {
    const keys = { authority: await makeAuthority(), registrarSecret: boxKeyPair(systemRandom).secretKey }
    await sealFile(place, encode(keys), givenPassphrase(context) ?? "", systemRandom)
    return keys
  }
  const passphrase = (await needsPassphrase(place)) ? await passphraseToOpen(context) : ""
  const { contents } = await openFile(place, passphrase, systemRandom)
  const keys = decode(contents, read)
  if (keys !== undefined) return keys
  throw new Fault("damaged-key-file", `${place.path} was written by another version of mqttchat`)
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
