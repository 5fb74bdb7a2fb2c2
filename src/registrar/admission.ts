import { equal, fromBase64url, toBase64url, utf8 } from "../crypto/bytes.ts"
import type { PublicKey, Random, VerifyKey } from "../crypto/bytes.ts"
import { hash32 } from "../crypto/kdf.ts"
import {
  encodeInvitation,
  SECRET_BYTES,
  type RegistrationAnswer,
  type RegistrationRefusal,
  type RegistrationRequest,
} from "../wire/registration.ts"
import { ID_BYTES } from "../wire/topics.ts"
import { DEVICE_DAYS, readRequest, type Authority } from "./authority.ts"
import { type Admitted, askedSince, type Entry, isOperator, type Invited, type Roll } from "./roll.ts"

const DAY_MS = 24 * 3600 * 1000
const HOUR_MS = 3600 * 1000
/** a file or a letter may take days to arrive. */
export const INVITATION_DAYS = 7
/** five codes an hour and some links and files; more is a program that has gone wrong. */
export const INVITATIONS_PER_HOUR = 20
const SECRET_LABEL = utf8("mqttchat/1 invitation")

/** What the registrar decides with; nothing here is a connection or a file. */
export type Office = {
  readonly authority: Authority
  readonly publicKey: PublicKey
  readonly membersMayInvite: boolean
  readonly random: Random
  /** Unix ms. */
  readonly now: () => number
}

/** What to write down before anybody is told, and what to tell. */
export type Decision = { readonly entry: Entry | undefined; readonly answer: RegistrationAnswer }

export type Asked = {
  readonly request: RegistrationRequest
  /** Of the bytes as they came: the same request again is no second use. */
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
      return invite(office, roll, request, asked.topicId)
    case "renew":
      return renew(office, roll, request)
  }
}

/** A new invitation, and the entry that makes it good. `user` is given for one that replaces an earlier one. */
export function newInvitation(
  office: Office,
  wish: {
    readonly name: string
    readonly by: string | null
    readonly operator: boolean
    readonly user?: string
  },
): { readonly entry: Invited; readonly invitation: Uint8Array } {
  const { name, by, operator } = wish
  const at = office.now()
  const user = (wish.user === undefined ? undefined : fromBase64url(wish.user)) ?? office.random(ID_BYTES)
  const secret = office.random(SECRET_BYTES)
  const expiresAt = at + INVITATION_DAYS * DAY_MS
  const secretHash = hashOf(secret)
  const invitation = { user, secret, registrar: office.publicKey, expiresAt: Math.floor(expiresAt / 1000) }
  return {
    entry: { kind: "invited", at, user: toBase64url(user), name, secretHash, expiresAt, by, operator },
    invitation: encodeInvitation(invitation),
  }
}

type Join = Extract<RegistrationRequest, { kind: "join" }>

async function join(office: Office, roll: Roll, request: Join, requestHash: Uint8Array): Promise<Decision> {
  const user = toBase64url(request.user)
  const invited = roll.invitations.get(user)
  if (invited === undefined || !equal(utf8(invited.secretHash), utf8(hashOf(request.secret)))) {
    return refuse("unknown-invitation")
  }
  const earlier = roll.admissions.get(user)
  const same = earlier?.requestHash === toBase64url(requestHash)
  if (earlier !== undefined && !same) return refuse("used-invitation")
  if (office.now() >= invited.expiresAt) return refuse("expired-invitation")
  if (earlier !== undefined) return { entry: undefined, answer: admitted(earlier) }
  const spki = await readRequest(request.csr)
  if (spki === undefined) return refuse("bad-request")
  const entry = await admit(office, request, spki, toBase64url(requestHash))
  return { entry, answer: admitted(entry) }
}

async function admit(
  office: Office,
  request: Join,
  spki: Uint8Array,
  requestHash: string,
): Promise<Admitted> {
  const device = toBase64url(office.random(ID_BYTES))
  return {
    kind: "admitted",
    at: office.now(),
    user: toBase64url(request.user),
    device,
    sign: toBase64url(request.sign),
    spkiHash: toBase64url(hash32(spki)),
    requestHash,
    deviceName: request.deviceName,
    certificate: await certify(office, device, spki),
  }
}

type Invite = Extract<RegistrationRequest, { kind: "invite" }>

function invite(office: Office, roll: Roll, request: Invite, topicId: string): Decision {
  const device = toBase64url(request.device)
  const member = memberOf(roll, device, request.sign)
  if (member === undefined || topicId !== device) return refuse("not-a-member")
  if (!office.membersMayInvite && !isOperator(roll, member)) return refuse("not-allowed")
  if (askedSince(roll, device, office.now() - HOUR_MS) >= INVITATIONS_PER_HOUR) return refuse("too-many")
  const { entry, invitation } = newInvitation(office, { name: "", by: device, operator: false })
  return { entry, answer: { kind: "invited", invitation } }
}

type Renew = Extract<RegistrationRequest, { kind: "renew" }>

async function renew(office: Office, roll: Roll, request: Renew): Promise<Decision> {
  const device = toBase64url(request.device)
  const member = memberOf(roll, device, request.sign)
  if (member === undefined) return refuse("not-a-member")
  const spki = await readRequest(request.csr)
  if (spki === undefined || toBase64url(hash32(spki)) !== member.spkiHash) return refuse("bad-request")
  const certificate = await certify(office, device, spki)
  const entry: Entry = { kind: "renewed", at: office.now(), device, certificate }
  return { entry, answer: admitted({ user: member.user, certificate }) }
}

async function certify(office: Office, device: string, spki: Uint8Array): Promise<string> {
  const now = office.now()
  return toBase64url(await office.authority.issue(device, spki, now, now + DEVICE_DAYS * DAY_MS))
}

/** A device that was let in, if the request is signed with the key it came in with. */
function memberOf(roll: Roll, device: string, sign: VerifyKey): Admitted | undefined {
  const member = roll.devices.get(device)
  return member?.sign === toBase64url(sign) ? member : undefined
}

function admitted({ user, certificate }: Pick<Admitted, "user" | "certificate">): RegistrationAnswer {
  return { kind: "admitted", user: bytesOf(user), certificate: bytesOf(certificate) }
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"))
}

function refuse(why: RegistrationRefusal): Decision {
  return { entry: undefined, answer: { kind: "refused", why } }
}

function hashOf(secret: Uint8Array): string {
  return toBase64url(hash32(SECRET_LABEL, secret))
}
