import { utf8, type Random, type SecretKey, type SigningKey } from "../crypto/bytes.ts"
import { concealed } from "../crypto/concealed.ts"
import { Fault } from "../errors.ts"
import { decode, Writer, type Reader } from "../wire/codec.ts"
import type { IdentityKeys } from "../wire/identity.ts"
import { readText } from "../wire/text.ts"
import { createIdentity, identityOf } from "./identity.ts"
import { openFile, sealFile, type SealedFile } from "./sealed-file.ts"

/** How this profile is known to its broker. */
export type StoredCredential =
  /** A device certificate and its key, both PEM; the device id is base64url of 16 bytes. */
  | {
      readonly kind: "device"
      readonly deviceId: string
      readonly certificate: string
      readonly key: string
      readonly userId?: string
    }
  /** A foreign broker's account, or none. */
  | {
      readonly kind: "account"
      readonly deviceId: string
      readonly username?: string
      readonly password?: string
    }
  /** Not yet used; `bytes` is what the registrar gave out. */
  | { readonly kind: "invitation"; readonly bytes: Uint8Array }

/** Everything secret that a profile keeps. It prints as ‹KeyRing›. */
export type KeyRing = {
  readonly identity: IdentityKeys
  /** 32 bytes. */
  readonly databaseKey: Uint8Array
  readonly credential: StoredCredential | undefined
}

/** An opened key file; `save` writes another ring under the same passphrase, atomically. */
export type KeyFile = { readonly ring: KeyRing; readonly save: (ring: KeyRing) => Promise<void> }

const VERSION = 1
const DATABASE_KEY_BYTES = 32
/** A P-256 certificate or key in PEM has under 1 kB, a chain of RSA certificates under 8; tokens stay below too. */
const FIELD_MAX = 16_384
const NO_CREDENTIAL = 0
const DEVICE = 1
const ACCOUNT = 2
const INVITATION = 3

/** The secrets of a new profile, from 96 random bytes; not yet known to any broker. */
export function createKeyRing(random: Random): KeyRing {
  const databaseKey = concealed("DatabaseKey", random(DATABASE_KEY_BYTES))
  return concealed("KeyRing", { identity: createIdentity(random), databaseKey, credential: undefined })
}

/** Makes a profile's key file. Faults as `sealFile`: `exists` if there is one, whoever else is making it just now. */
export async function createKeyFile(
  path: string,
  ring: KeyRing,
  passphrase: string,
  random: Random,
): Promise<KeyFile> {
  const file = await sealFile({ path, purpose: "identity" }, encodeKeyRing(ring), passphrase, random)
  return keyFile(file, ring)
}

/** Opens a profile's key file. Faults as `openFile`. */
export async function openKeyFile(path: string, passphrase: string, random: Random): Promise<KeyFile> {
  const file = await openFile({ path, purpose: "identity" }, passphrase, random)
  const ring = decodeKeyRing(file.contents)
  if (ring === undefined) throw new Fault("damaged-key-file", `${path} is of another version of mqttchat`)
  return keyFile(file, ring)
}

/** Overwrites what can be: what is text, as the key of a certificate, stays until the memory is used again. */
export function wipe({ identity, databaseKey }: KeyRing): void {
  for (const secret of [identity.signSecret, identity.boxSecret, databaseKey]) secret.fill(0)
}

function keyFile(file: SealedFile, ring: KeyRing): KeyFile {
  return {
    ring,
    save: async (changed) => {
      await file.save(encodeKeyRing(changed))
    },
  }
}

/** version u8 = 1 | signing secret 32 | box secret 32 | database key 32 | credential. */
function encodeKeyRing({ identity, databaseKey, credential }: KeyRing): Uint8Array {
  const writer = new Writer()
    .u8(VERSION)
    .bytes(identity.signSecret)
    .bytes(identity.boxSecret)
    .bytes(databaseKey)
  writeCredential(writer, credential)
  return writer.done()
}

function decodeKeyRing(bytes: Uint8Array): KeyRing | undefined {
  return decode(bytes, (reader) => {
    if (reader.u8() !== VERSION) reader.refuse()
    const signSecret = reader.bytes(32) as SigningKey
    const boxSecret = reader.bytes(32) as SecretKey
    const databaseKey = concealed("DatabaseKey", reader.bytes(DATABASE_KEY_BYTES))
    const stored = readCredential(reader)
    const credential = stored && concealed("StoredCredential", stored)
    if (reader.spoilt) return undefined
    return concealed("KeyRing", { identity: identityOf(signSecret, boxSecret), databaseKey, credential })
  })
}

/** kind u8 and its fields: each u16 length and UTF-8, the optional ones after a u8 of 0 or 1. */
function writeCredential(writer: Writer, credential: StoredCredential | undefined): void {
  switch (credential?.kind) {
    case undefined:
      writer.u8(NO_CREDENTIAL)
      return
    case "device":
      writer.u8(DEVICE)
      writeText(writer, credential.deviceId)
      writeText(writer, credential.certificate)
      writeText(writer, credential.key)
      writeOptional(writer, credential.userId)
      return
    case "account":
      writer.u8(ACCOUNT)
      writeText(writer, credential.deviceId)
      writeOptional(writer, credential.username)
      writeOptional(writer, credential.password)
      return
    case "invitation":
      writer.u8(INVITATION)
      writeField(writer, credential.bytes)
  }
}

function readCredential(reader: Reader): StoredCredential | undefined {
  switch (reader.u8()) {
    case NO_CREDENTIAL:
      return undefined
    case DEVICE: {
      const [deviceId, certificate, key] = [readField(reader), readField(reader), readField(reader)]
      const userId = readOptional(reader)
      return {
        kind: "device",
        deviceId,
        certificate,
        key,
        ...(userId !== undefined && { userId }),
      }
    }
    case ACCOUNT: {
      const deviceId = readField(reader)
      const [username, password] = [readOptional(reader), readOptional(reader)]
      return {
        kind: "account",
        deviceId,
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
      }
    }
    case INVITATION:
      return { kind: "invitation", bytes: reader.lv16(FIELD_MAX) }
    default:
      reader.refuse()
      return undefined
  }
}

function writeText(writer: Writer, text: string): void {
  writeField(writer, utf8(text))
}

function writeField(writer: Writer, bytes: Uint8Array): void {
  if (bytes.length > FIELD_MAX) throw new Fault("bad-data", "this credential is too long to be kept")
  writer.lv16(bytes)
}

function writeOptional(writer: Writer, text: string | undefined): void {
  writer.u8(text === undefined ? 0 : 1)
  if (text !== undefined) writeText(writer, text)
}

function readField(reader: Reader): string {
  const text = readText(reader.lv16(FIELD_MAX))
  if (text === undefined) reader.refuse()
  return text ?? ""
}

function readOptional(reader: Reader): string | undefined {
  const present = reader.u8()
  if (present > 1) reader.refuse()
  return present === 1 ? readField(reader) : undefined
}
