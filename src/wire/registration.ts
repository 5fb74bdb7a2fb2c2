import type { PublicKey, VerifyKey } from "../crypto/bytes.ts"
import { KEY_BYTES } from "../crypto/sizes.ts"
import { INVITATION_BYTES } from "./access.ts"
import { decode, type Reader, Writer } from "./codec.ts"
import { readLedgerView, writeLedgerView, type LedgerView } from "./ledger-view.ts"
import { ID_BYTES } from "./topics.ts"

export const SECRET_BYTES = 16
/** A request for a P-256 certificate with an empty subject has about 200 bytes. */
const CSR_BYTES_MAX = 512
/** A certificate of ours has about 450 bytes. */
const CERTIFICATE_BYTES_MAX = 800
const DEVICE_NAME_BYTES_MAX = 64

/** Admits one person, once. */
export type Invitation = {
  /** 16 bytes. */
  readonly user: Uint8Array
  /** 16 bytes. */
  readonly secret: Uint8Array
  readonly registrar: PublicKey
  /** Unix seconds. */
  readonly expiresAt: number
}

/** A device's request to the registrar. */
export type RegistrationRequest = Request & {
  /** The number of the newest entry of the ledger that the device knows of; 0 for none. */
  readonly known: number
}

type Request =
  | {
      readonly kind: "join"
      readonly user: Uint8Array
      readonly secret: Uint8Array
      readonly sign: VerifyKey
      readonly deviceName: string
      /** PKCS #10, DER. */
      readonly csr: Uint8Array
    }
  /** An invitation for another person, or for another device of the requester. */
  | { readonly kind: "invite" | "add-device"; readonly device: Uint8Array; readonly sign: VerifyKey }
  | {
      readonly kind: "renew"
      readonly device: Uint8Array
      readonly sign: VerifyKey
      readonly csr: Uint8Array
    }
  /** The identity was a device of a user before, on a machine that it has left. */
  | {
      readonly kind: "restore"
      readonly sign: VerifyKey
      /** Unix ms. */
      readonly askedAt: number
      readonly deviceName: string
      readonly csr: Uint8Array
    }
  /** Only what every answer has: the newest entry of the ledger. */
  | { readonly kind: "head"; readonly sign: VerifyKey }

/** Why the registrar refuses; the number on the wire is the position in this list, from 1. */
export const REFUSALS = [
  "unknown-invitation",
  "used-invitation",
  "expired-invitation",
  "not-a-member",
  "not-allowed",
  "too-many",
  "bad-request",
  "revoked",
  "out-of-time",
] as const
export type RegistrationRefusal = (typeof REFUSALS)[number]

/** What the same request may no longer meet later: a full quota, another clock, a registrar that is updated. */
export const PASSING_REFUSALS: ReadonlySet<unknown> = new Set<RegistrationRefusal>([
  "too-many",
  "out-of-time",
  "bad-request",
])

export type RegistrationAnswer =
  /** The certificate as X.509 DER. */
  | { readonly kind: "admitted"; readonly user: Uint8Array; readonly certificate: Uint8Array }
  /** 72 bytes. */
  | { readonly kind: "invited"; readonly invitation: Uint8Array }
  | { readonly kind: "refused"; readonly why: RegistrationRefusal }
  /** Another device of the same identity has replaced the requesting one; unix ms. */
  | { readonly kind: "replaced"; readonly at: number }
  | { readonly kind: "head" }

/** An answer as it is sent: a device is told of the ledger, a stranger is not. */
export type RegistrarReply = { readonly answer: RegistrationAnswer; readonly ledger: LedgerView | undefined }

const REQUEST = { join: 1, invite: 2, renew: 3, "add-device": 4, restore: 5, head: 6 } as const
const ANSWER = { admitted: 1, invited: 2, refused: 3, replaced: 4, head: 5 } as const

/** User id 16 | secret 16 | registrar's box key 32 | expiry u64. */
export function encodeInvitation({ user, secret, registrar, expiresAt }: Invitation): Uint8Array {
  return new Writer().bytes(user).bytes(secret).bytes(registrar).u64(expiresAt).done()
}

export function decodeInvitation(bytes: Uint8Array): Invitation | undefined {
  if (bytes.length !== INVITATION_BYTES) return undefined
  return decode(bytes, (reader) => ({
    user: reader.bytes(ID_BYTES),
    secret: reader.bytes(SECRET_BYTES),
    registrar: reader.bytes(KEY_BYTES) as PublicKey,
    expiresAt: reader.u64(),
  }))
}

/** The fields of a request, without its signature. */
export function encodeRequest(request: RegistrationRequest): Uint8Array {
  const writer = new Writer().u8(REQUEST[request.kind]).u64(request.known)
  switch (request.kind) {
    case "join":
      writer.bytes(request.user).bytes(request.secret).bytes(request.sign)
      return writer.text(request.deviceName).lv16(request.csr).done()
    case "invite":
    case "add-device":
      return writer.bytes(request.device).bytes(request.sign).done()
    case "renew":
      return writer.bytes(request.device).bytes(request.sign).lv16(request.csr).done()
    case "restore":
      writer.bytes(request.sign).u64(request.askedAt)
      return writer.text(request.deviceName).lv16(request.csr).done()
    case "head":
      return writer.bytes(request.sign).done()
  }
}

export function decodeRequest(bytes: Uint8Array): RegistrationRequest | undefined {
  return decode(bytes, (reader) => {
    const kind = reader.u8()
    const known = reader.u64()
    const request = readRequest(reader, kind)
    return request && { ...request, known }
  })
}

function readRequest(reader: Reader, kind: number): Request | undefined {
  if (kind === REQUEST.join) return readJoin(reader)
  if (kind === REQUEST.restore) return readRestore(reader)
  if (kind === REQUEST.head) return { kind: "head", sign: reader.bytes(KEY_BYTES) as VerifyKey }
  const device = reader.bytes(ID_BYTES)
  const sign = reader.bytes(KEY_BYTES) as VerifyKey
  switch (kind) {
    case REQUEST.invite:
      return { kind: "invite", device, sign }
    case REQUEST["add-device"]:
      return { kind: "add-device", device, sign }
    case REQUEST.renew:
      return { kind: "renew", device, sign, csr: reader.lv16(CSR_BYTES_MAX) }
    default:
      return undefined
  }
}

function readJoin(reader: Reader): Request {
  return {
    kind: "join",
    user: reader.bytes(ID_BYTES),
    secret: reader.bytes(SECRET_BYTES),
    sign: reader.bytes(KEY_BYTES) as VerifyKey,
    deviceName: reader.text(DEVICE_NAME_BYTES_MAX),
    csr: reader.lv16(CSR_BYTES_MAX),
  }
}

function readRestore(reader: Reader): Request {
  return {
    kind: "restore",
    sign: reader.bytes(KEY_BYTES) as VerifyKey,
    askedAt: reader.u64(),
    deviceName: reader.text(DEVICE_NAME_BYTES_MAX),
    csr: reader.lv16(CSR_BYTES_MAX),
  }
}

/** The fields of an answer. */
export function encodeReply({ answer, ledger }: RegistrarReply): Uint8Array {
  const writer = new Writer().u8(ANSWER[answer.kind])
  writeLedgerView(writer, ledger)
  switch (answer.kind) {
    case "admitted":
      return writer.bytes(answer.user).lv16(answer.certificate).done()
    case "invited":
      return writer.bytes(answer.invitation).done()
    case "refused":
      return writer.u8(REFUSALS.indexOf(answer.why) + 1).done()
    case "replaced":
      return writer.u64(answer.at).done()
    case "head":
      return writer.done()
  }
}

export function decodeReply(bytes: Uint8Array): RegistrarReply | undefined {
  return decode(bytes, (reader) => {
    const kind = reader.u8()
    const ledger = readLedgerView(reader)
    const answer = readAnswer(reader, kind)
    return answer && { answer, ledger }
  })
}

function readAnswer(reader: Reader, kind: number): RegistrationAnswer | undefined {
  switch (kind) {
    case ANSWER.admitted:
      return {
        kind: "admitted",
        user: reader.bytes(ID_BYTES),
        certificate: reader.lv16(CERTIFICATE_BYTES_MAX),
      }
    case ANSWER.invited:
      return { kind: "invited", invitation: reader.bytes(INVITATION_BYTES) }
    case ANSWER.refused: {
      const why = REFUSALS[reader.u8() - 1]
      return why === undefined ? undefined : { kind: "refused", why }
    }
    case ANSWER.replaced:
      return { kind: "replaced", at: reader.u64() }
    case ANSWER.head:
      return { kind: "head" }
    default:
      return undefined
  }
}
