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
const TYPE = { none: 0, invitation: 1, account: 2 } as const
const PROOF = { name: 0, pin: 1, insecure: 2 } as const

/** How a broker with TLS proves itself: the pin of its authority's key, or a publicly trusted certificate. */
export type TlsProof = { readonly kind: "pin"; readonly pin: Uint8Array } | { readonly kind: "name" }

/** How the broker proves itself, or that it does not: it is reached without TLS. */
export type BrokerProof = TlsProof | { readonly kind: "insecure" }

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

/** Proof | type | length u16 | data | perhaps the members' addresses [W-42]. */
export function encodeAccess({ proof, entry, members }: Access): Uint8Array {
  const writer = new Writer().bytes(encodeProof(proof)).u8(TYPE[entry.kind])
  return writer.lv16(encodeEntry(entry)).bytes(encodeMembers(members)).done()
}

export function decodeAccess(bytes: Uint8Array): Access | undefined {
  return decode(bytes, (reader) => {
    const proof = readProof(reader)
    const type = reader.u8()
    const entry = decodeEntry(type, reader.lv16(USERNAME_BYTES_MAX + PASSWORD_BYTES_MAX + 4))
    const members = readMembers(reader)
    if (entry === undefined || isContradiction(proof, entry)) return undefined
    return { proof, entry, ...members }
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

/** Kind u8 (0 by name, 1 pin, 2 without TLS) | the pin 16 for kind 1 [W-47]. */
export function encodeProof(proof: BrokerProof): Uint8Array {
  const writer = new Writer().u8(PROOF[proof.kind])
  return (proof.kind === "pin" ? writer.bytes(proof.pin) : writer).done()
}

export function readProof(reader: Reader): BrokerProof {
  switch (reader.u8()) {
    case PROOF.pin:
      return { kind: "pin", pin: reader.bytes(PIN_BYTES) }
    case PROOF.insecure:
      return { kind: "insecure" }
    case PROOF.name:
      return { kind: "name" }
    default:
      reader.refuse()
      return { kind: "name" }
  }
}

/** An invitation becomes a certificate, which a client can show in TLS only. */
function isContradiction({ kind }: BrokerProof, entry: Entry): boolean {
  return kind === "insecure" && entry.kind === "invitation"
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
