import { utf8 } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import { Writer, type Reader } from "../wire/codec.ts"

/** The profile's credential at its broker. */
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
  /** Not yet used; `bytes` is what the registrar issued. */
  | { readonly kind: "invitation"; readonly bytes: Uint8Array }
  /** The identity came from a backup and had a device; its registrar issues a new one for this machine. */
  | { readonly kind: "restored" }

/** A credential that a registrar exchanges for a device's certificate. */
export type PendingCredential = Extract<StoredCredential, { kind: "invitation" | "restored" }>

export function isPending(credential: StoredCredential): credential is PendingCredential {
  return credential.kind === "invitation" || credential.kind === "restored"
}

/** A P-256 certificate or key in PEM has under 1 kB, a chain of RSA certificates under 8; tokens stay below too. */
const FIELD_MAX = 16_384
const NO_CREDENTIAL = 0
const DEVICE = 1
const ACCOUNT = 2
const INVITATION = 3
const RESTORED = 4

/** kind u8 and its fields: each u16 length and UTF-8, the optional ones after a u8 of 0 or 1. */
export function writeCredential(writer: Writer, credential: StoredCredential | undefined): void {
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
      return
    case "restored":
      writer.u8(RESTORED)
  }
}

export function readCredential(reader: Reader): StoredCredential | undefined {
  switch (reader.u8()) {
    case NO_CREDENTIAL:
      return undefined
    case DEVICE: {
      const [deviceId, certificate, key] = [
        reader.text(FIELD_MAX),
        reader.text(FIELD_MAX),
        reader.text(FIELD_MAX),
      ]
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
      const deviceId = reader.text(FIELD_MAX)
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
    case RESTORED:
      return { kind: "restored" }
    default:
      reader.refuse()
      return undefined
  }
}

function writeText(writer: Writer, text: string): void {
  writeField(writer, utf8(text))
}

function writeField(writer: Writer, bytes: Uint8Array): void {
  if (bytes.length > FIELD_MAX) throw new Fault("bad-data", "this credential is too long to be stored")
  writer.lv16(bytes)
}

function writeOptional(writer: Writer, text: string | undefined): void {
  writer.u8(text === undefined ? 0 : 1)
  if (text !== undefined) writeText(writer, text)
}

function readOptional(reader: Reader): string | undefined {
  return reader.flag() ? reader.text(FIELD_MAX) : undefined
}
