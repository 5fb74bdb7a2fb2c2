import { toBase64url, utf8 } from "../crypto/bytes.ts"
import type { VerifyKey } from "../crypto/bytes.ts"
import { hash32 } from "../crypto/kdf.ts"
import {
  encodeInvitation,
  SECRET_BYTES,
  type RegistrationRefusal,
  type RegistrationRequest,
} from "../wire/registration.ts"
import { ID_BYTES } from "../wire/topics.ts"
import { readRequest } from "./authority.ts"
import {
  bytesOf,
  certify,
  type Decision,
  granted,
  isRevoked,
  type Office,
  type Press,
  refuse,
  shutOut,
} from "./granting.ts"
import { restore } from "./restoring.ts"
import {
  type Admitted,
  askedSince,
  type Device,
  devicesOf,
  type Invitation,
  type Invited,
  isCurrent,
  isOperator,
  type Roll,
} from "./roll.ts"

const DAY_MS = 24 * 3600 * 1000
const HOUR_MS = 3600 * 1000
/** a file or a letter may take days to arrive. */
export const INVITATION_DAYS = 7
/** five codes an hour and some links and files; more is a program that has gone wrong. */
export const INVITATIONS_PER_HOUR = 20
/** laptop, desktop, server and some spare ones; more is not one person's. */
export const DEVICES_MAX = 8
/** decades of renewals, and many a join that was cut off. A program that has gone wrong joins no more. */
const CERTIFICATES_MAX = 200
const SECRET_LABEL = utf8("mqttchat/1 invitation")

export type Asked = {
  readonly request: RegistrationRequest
  /** Of the bytes as they came: the same request again gets the same certificate. */
  readonly requestHash: Uint8Array
  /** The id of the topic it came on. */
  readonly topicId: string
}

/** Decides one request whose box and signature have been checked. */
export async function decide(office: Office, roll: Roll, asked: Asked): Promise<Decision> {
  const { request } = asked
  switch (request.kind) {
    case "join":
      return join(office, roll, request, asked.requestHash)
    case "invite":
    case "add-device":
      return invite(office, roll, request, asked.topicId)
    case "renew":
      return renew(office, roll, request)
    case "restore":
      return restore(office, roll, request, asked.requestHash)
  }
}

/** A new invitation, and the entry that makes it good. `user` is given for one who is there already. */
export function newInvitation(
  { publicKey: registrar, random, now }: Press,
  wish: {
    readonly name: string
    readonly by: string | null
    readonly operator: boolean
    readonly user?: string
  },
): { readonly entry: Invited; readonly invitation: Uint8Array } {
  const { name, by, operator } = wish
  const at = now()
  const user = wish.user === undefined ? random(ID_BYTES) : bytesOf(wish.user)
  const secret = random(SECRET_BYTES)
  const expiresAt = at + INVITATION_DAYS * DAY_MS
  const secretHash = hashOf(secret)
  return {
    entry: { kind: "invited", at, user: toBase64url(user), name, secretHash, expiresAt, by, operator },
    invitation: encodeInvitation({ user, secret, registrar, expiresAt: Math.floor(expiresAt / 1000) }),
  }
}

type Join = Extract<RegistrationRequest, { kind: "join" }>

async function join(office: Office, roll: Roll, request: Join, requestHash: Uint8Array): Promise<Decision> {
  const invited = roll.invitations.get(hashOf(request.secret))
  if (invited?.user !== toBase64url(request.user)) return refuse("unknown-invitation")
  const sign = toBase64url(request.sign)
  const known = devicesOf(roll, invited.user).findLast((device) => device.sign === sign)
  const refusal = whyNot(roll, { invited, known, sign, now: office.now() })
  if (refusal !== undefined) return refuse(refusal)
  const { admitted: earlier } = invited
  if (earlier?.requestHash === toBase64url(requestHash)) return granted(earlier)
  const spki = await readRequest(request.csr)
  if (spki === undefined) return refuse("bad-request")
  const admitted = await admit(office, { request, spki, invited, requestHash, known })
  return granted(admitted, admitted)
}

type Claim = {
  readonly invited: Invitation
  /** The same identity was here before: it keeps its device id, and so its contacts their way to it. */
  readonly known: Device | undefined
  readonly sign: string
  readonly now: number
}

function whyNot(roll: Roll, { invited, known, sign, now }: Claim): RegistrationRefusal | undefined {
  const { admitted: earlier, lapsed, expiresAt, user } = invited
  if (earlier !== undefined && earlier.sign !== sign) return "used-invitation"
  if (isRevoked(roll, user) || known?.revokedAt !== undefined) return "revoked"
  if (lapsed) return "unknown-invitation"
  if (now >= expiresAt) return "expired-invitation"
  if (known === undefined) return isFull(roll, user) ? "too-many" : undefined
  return known.certificates.length >= CERTIFICATES_MAX ? "too-many" : undefined
}

type Applied = {
  readonly request: Join
  readonly spki: Uint8Array
  readonly invited: Invitation
  readonly requestHash: Uint8Array
  readonly known: Device | undefined
}

async function admit(office: Office, applied: Applied): Promise<Admitted> {
  const { request, spki, invited, requestHash, known } = applied
  const device = known?.device ?? toBase64url(office.random(ID_BYTES))
  return {
    kind: "admitted",
    at: office.now(),
    user: invited.user,
    device,
    sign: toBase64url(request.sign),
    spkiHash: toBase64url(hash32(spki)),
    secretHash: invited.secretHash,
    requestHash: toBase64url(requestHash),
    deviceName: request.deviceName,
    certificate: await certify(office, device, spki),
  }
}

type Invite = Extract<RegistrationRequest, { kind: "invite" | "add-device" }>

function invite(office: Office, roll: Roll, request: Invite, topicId: string): Decision {
  const device = toBase64url(request.device)
  const member = memberOf(roll, device, request.sign)
  if (member === undefined || topicId !== device) return refuse("not-a-member")
  if (member.revokedAt !== undefined) return shutOut(member)
  if (askedSince(roll, device, office.now() - HOUR_MS) >= INVITATIONS_PER_HOUR) return refuse("too-many")
  return request.kind === "invite" ? invitePerson(office, roll, member) : inviteDevice(office, roll, member)
}

function invitePerson(office: Office, roll: Roll, { device, user }: Device): Decision {
  if (!roll.membersMayInvite && !isOperator(roll, user)) return refuse("not-allowed")
  return invited(newInvitation(office, { name: "", by: device, operator: false }))
}

/** Whoever may invite: a further device brings nobody new. */
function inviteDevice(office: Office, roll: Roll, { device, user }: Device): Decision {
  if (isFull(roll, user)) return refuse("too-many")
  const { name = "", operator = false } = roll.users.get(user) ?? {}
  return invited(newInvitation(office, { name, by: device, operator, user }))
}

function invited({ entry, invitation }: ReturnType<typeof newInvitation>): Decision {
  return { entry, answer: { kind: "invited", invitation } }
}

type Renew = Extract<RegistrationRequest, { kind: "renew" }>

async function renew(office: Office, roll: Roll, request: Renew): Promise<Decision> {
  const device = toBase64url(request.device)
  const member = memberOf(roll, device, request.sign)
  if (member === undefined) return refuse("not-a-member")
  if (member.revokedAt !== undefined) return shutOut(member)
  const spki = await readRequest(request.csr)
  if (spki === undefined || toBase64url(hash32(spki)) !== member.spkiHash) return refuse("bad-request")
  if (isFresh(roll, member, office.now())) return granted(member)
  const certificate = await certify(office, device, spki)
  return granted(
    { user: member.user, certificate },
    { kind: "renewed", at: office.now(), device, certificate },
  )
}

/** Issued within the hour: whoever asks again gets it again, or the ledger would grow as fast as somebody asks. */
function isFresh(roll: Roll, device: Device, now: number): boolean {
  return isCurrent(roll, device) && now - device.at < HOUR_MS
}

/** A device that was let in, if the request is signed with the key it came in with. */
function memberOf(roll: Roll, device: string, sign: VerifyKey): Device | undefined {
  const member = roll.devices.get(device)
  return member?.sign === toBase64url(sign) ? member : undefined
}

function isFull(roll: Roll, user: string): boolean {
  return devicesOf(roll, user).filter(({ revokedAt }) => revokedAt === undefined).length >= DEVICES_MAX
}

function hashOf(secret: Uint8Array): string {
  return toBase64url(hash32(SECRET_LABEL, secret))
}
