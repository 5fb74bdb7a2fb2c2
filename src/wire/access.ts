import { type Addresses, formatAddresses, parseAddresses } from "./address.ts"
import { decode, type Reader, Writer } from "./codec.ts"

export const PIN_BYTES = 16
/** User id, secret, registrar's key and expiry. */
export const INVITATION_BYTES = 72
/** Brokers differ in what they accept; no user types a longer name or password. */
const USERNAME_BYTES_MAX = 256
const PASSWORD_BYTES_MAX = 1024
/** Five hosts of 253 characters, brackets, ports and commas. */
export const ADDRESSES_BYTES_MAX = 1400
const NOT_PINNED = new Uint8Array(PIN_BYTES)
const TYPE = { none: 0, invitation: 1, account: 2 } as const

/** How the broker proves itself: the pin of its authority's key, or a publicly trusted certificate. */
export type BrokerProof = { readonly kind: "pin"; readonly pin: Uint8Array } | { readonly kind: "name" }

/** The credential that a newcomer gets for the owner's broker. */
export type Entry =
  /** The caller is a member already, or may not be given anything. */
  | { readonly kind: "none" }
  /** 72 bytes, used once. */
  | { readonly kind: "invitation"; readonly invitation: Uint8Array }
  /** A broker without a registrar; without a user name it admits anyone. */
  | { readonly kind: "account"; readonly username?: string; readonly password?: string }

/** What a newcomer must know about the owner's broker; travels only inside a pairing channel, a link or a file. */
export type Access = {
  readonly proof: BrokerProof
  readonly entry: Entry
  /** Where members connect, if the newcomer was sent elsewhere: guests have their own port, or there are several nodes. */
  readonly members?: Addresses
}

/** Pin 16 (zeros: checked by name) | type | length u16 | data | perhaps the members' addresses [W-42]. */
export function encodeAccess({ proof, entry, members }: Access): Uint8Array {
  const writer = new Writer().bytes(encodeProof(proof)).u8(TYPE[entry.kind])
  return writer.lv16(encodeEntry(entry)).bytes(encodeMembers(members)).done()
}

export function decodeAccess(bytes: Uint8Array): Access | undefined {
  return decode(bytes, (reader) => {
    const proof = decodeProof(reader.bytes(PIN_BYTES))
    const type = reader.u8()
    const entry = decodeEntry(type, reader.lv16(USERNAME_BYTES_MAX + PASSWORD_BYTES_MAX + 4))
    const members = readMembers(reader)
    return entry === undefined ? undefined : { proof, entry, ...members }
  })
}

/** Length u16 | addresses, or nothing. */
export function encodeMembers(members: Addresses | undefined): Uint8Array {
  return members === undefined ? new Uint8Array() : new Writer().text(formatAddresses(members)).done()
}

/** The rest of the bytes; another spelling of the same addresses is refused. */
export function readMembers(reader: Reader): { readonly members?: Addresses } {
  if (reader.left === 0) return {}
  const written = reader.text(ADDRESSES_BYTES_MAX)
  const members = parseAddresses(written)
  if (members !== undefined && formatAddresses(members) === written) return { members }
  reader.refuse()
  return {}
}

/** No key hashes to zeros, so zeros mean that the certificate is checked by name. */
export function encodeProof(proof: BrokerProof): Uint8Array {
  return proof.kind === "pin" ? proof.pin : NOT_PINNED
}

export function decodeProof(bytes: Uint8Array): BrokerProof {
  return bytes.every((byte) => byte === 0) ? { kind: "name" } : { kind: "pin", pin: bytes }
}

function encodeEntry(entry: Entry): Uint8Array {
  if (entry.kind === "none") return new Uint8Array()
  if (entry.kind === "invitation") return entry.invitation
  return new Writer()
    .text(entry.username ?? "")
    .text(entry.password ?? "")
    .done()
}

function decodeEntry(type: number, data: Uint8Array): Entry | undefined {
  if (type === TYPE.none) return data.length === 0 ? { kind: "none" } : undefined
  if (type === TYPE.invitation) {
    return data.length === INVITATION_BYTES ? { kind: "invitation", invitation: data } : undefined
  }
  return type === TYPE.account ? decode(data, readAccount) : undefined
}

/** A password without a user name is refused, as MQTT 3.1.1 does [MQTT-3.1.2-22]. */
function readAccount(reader: Reader): Entry | undefined {
  const username = reader.text(USERNAME_BYTES_MAX)
  const password = reader.text(PASSWORD_BYTES_MAX)
  if (username === "" && password !== "") reader.refuse()
  return {
    kind: "account",
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
  }
}
