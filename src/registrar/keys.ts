import { utf8 } from "../crypto/bytes.ts"
import type { Random, SecretKey } from "../crypto/bytes.ts"
import { concealed } from "../crypto/concealed.ts"
import { boxKeyPair } from "../crypto/nacl.ts"
import { Fault } from "../errors.ts"
import { openFile, sealFile } from "../keystore/sealed-file.ts"
import { decode, Writer } from "../wire/codec.ts"
import type { AuthorityKeys } from "./authority.ts"

const VERSION = 1
const SECRET_BYTES = 32
/** A P-256 certificate or key in PEM has under 1 kB. */
const PEM_BYTES_MAX = 16_384

/** What the listener shows, PEM. */
export type ServerKeys = { readonly certificate: string; readonly key: string }

/** Everything secret that a broker's host keeps. It prints as ‹HostKeys›. */
export type HostKeys = {
  readonly authority: AuthorityKeys
  readonly server: ServerKeys
  /** The registrar's X25519 key. */
  readonly boxSecret: SecretKey
}

/** An opened file of keys; `save` puts others there, atomically, under the same passphrase. */
export type HostKeyFile = { readonly keys: HostKeys; readonly save: (keys: HostKeys) => Promise<void> }

/** Seals the keys of a new broker at `path`, with a fresh key for its registrar. Faults as `sealFile`. */
export async function createHostKeys(
  path: string,
  made: Pick<HostKeys, "authority" | "server">,
  passphrase: string,
  random: Random,
): Promise<HostKeyFile> {
  const keys = concealed("HostKeys", { ...made, boxSecret: boxKeyPair(random).secretKey })
  const file = await sealFile({ path, purpose: "registrar" }, encode(keys), passphrase, random)
  return { keys, save: (changed) => file.save(encode(changed)) }
}

/** Faults as `openFile`: `no-profile` if there is no broker here yet. */
export async function openHostKeys(path: string, passphrase: string, random: Random): Promise<HostKeyFile> {
  const file = await openFile({ path, purpose: "registrar" }, passphrase, random)
  const keys = read(file.contents)
  if (keys === undefined)
    throw new Fault("damaged-key-file", `${path} was written by another version of mqttchat`)
  return { keys, save: (changed) => file.save(encode(changed)) }
}

function encode({ authority, server, boxSecret }: HostKeys): Uint8Array {
  const writer = new Writer().u8(VERSION).bytes(boxSecret)
  const texts = [authority.caCertificate, authority.caKey, server.certificate, server.key]
  return texts.reduce((written, text) => written.lv16(utf8(text)), writer).done()
}

function read(contents: Uint8Array): HostKeys | undefined {
  return decode(contents, (reader) => {
    if (reader.u8() !== VERSION) return undefined
    const boxSecret = reader.bytes(SECRET_BYTES) as SecretKey
    const text = () => Buffer.from(reader.lv16(PEM_BYTES_MAX)).toString("utf8")
    const authority = { caCertificate: text(), caKey: text() }
    const server = { certificate: text(), key: text() }
    return concealed("HostKeys", { authority, server, boxSecret })
  })
}
