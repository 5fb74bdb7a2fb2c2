import { toBase64url, utf8 } from "../crypto/bytes.ts"
import type { VerifyKey } from "../crypto/bytes.ts"
import { hash32 } from "../crypto/kdf.ts"
import { DAY_MS, HOUR_MS } from "../time-units.ts"
import { encodeInvitation, SECRET_BYTES, type RegistrationRequest } from "../wire/registration.ts"
import { ID_BYTES } from "../wire/topics.ts"
import { readCsr } from "./authority.ts"
import {
  bytesOf,
  issueCertificate,
  type Decision,
  grant,
  isRevoked,
  type RegistrarContext,
  type Signer,
  refuse,
  refuseRevoked,
  repeatedGrant,
} from "./issue.ts"
import { restore } from "./restore.ts"
import {
  type Admitted,
  requestsWithin,
  type Device,
  devicesOf,
  type Invitation,
  type Invited,
  isCurrent,
  isOperator,
  type RegistryState,
} from "./registry-state.ts"

/** a file or a letter may take days to arrive. */
export const INVITATION_DAYS = 7
/** five codes an hour and some links and files; more is a program that has gone wrong. */
export const INVITATIONS_PER_HOUR = 20
/** laptop, desktop, server and some spare ones; more is not one person's. */
export const DEVICES_MAX = 8
/** decades of renewals, and many a join that was cut off. A program that has gone wrong joins no more. */
const CERTIFICATES_MAX = 200
const SECRET_LABEL = utf8("mqttchat/1 invitation")

export type VerifiedRequest = {
  readonly request: RegistrationRequest
  /** Of the bytes as they came: the same request again gets the same certificate. */
  readonly requestHash: Uint8Array
  /** The id of the topic it came on. */
  readonly topicId: string
}

/** Decides one request whose box and signature have been checked. */
export async function decide(
  context: RegistrarContext,
  state: RegistryState,
  verified: VerifiedRequest,
): Promise<Decision> {
  const { request } = verified
  switch (request.kind) {
    case "join":
      return join(context, state, request, verified.requestHash)
    case "invite":
    case "add-device":
      return invite(context, state, { ...verified, request })
    case "renew":
      return renew(context, state, request, verified.requestHash)
    case "restore":
      return restore(context, state, request, verified.requestHash)
    case "head":
      return head(state, request.sign)
  }
}

/** Every answer to a device says what the ledger's head is; this one says nothing else. */
function head(state: RegistryState, key: VerifyKey): Decision {
  const device = latestOf(state, key)
  if (device === undefined) return refuse("not-a-member")
  return device.revokedAt === undefined
    ? { entry: undefined, answer: { kind: "head" } }
    : refuseRevoked(device)
}

/** The device that this identity was admitted as last. */
export function latestOf(state: RegistryState, key: VerifyKey): Device | undefined {
  const sign = toBase64url(key)
  return [...state.devices.values()].findLast((device) => device.sign === sign)
}

/** A new invitation, and the entry that makes it good. `user` is given for one who is there already. */
export function newInvitation(
  { publicKey: registrar, random, now }: Signer,
  options: {
    readonly name: string
    readonly by: string | null
    readonly operator: boolean
    readonly user?: string
    readonly secret?: Uint8Array
  },
): { readonly entry: Invited; readonly invitation: Uint8Array } {
  const { name, by, operator, secret = random(SECRET_BYTES) } = options
  const at = now()
  const user = options.user === undefined ? random(ID_BYTES) : bytesOf(options.user)
  const expiresAt = at + INVITATION_DAYS * DAY_MS
  const secretHash = hashSecret(secret)
  return {
    entry: { kind: "invited", at, user: toBase64url(user), name, secretHash, expiresAt, by, operator },
    invitation: encodeInvitation({ user, secret, registrar, expiresAt: Math.floor(expiresAt / 1000) }),
  }
}

type Join = Extract<RegistrationRequest, { kind: "join" }>

async function join(
  context: RegistrarContext,
  state: RegistryState,
  request: Join,
  requestHash: Uint8Array,
): Promise<Decision> {
  const invited = state.invitations.get(hashSecret(request.secret))
  if (invited?.user !== toBase64url(request.user)) return refuse("unknown-invitation")
  const sign = toBase64url(request.sign)
  const known = devicesOf(state, invited.user).findLast((device) => device.sign === sign)
  const check = { invited, known, sign, now: context.now() }
  const settled = refusalFor(state, check) ?? repeatedGrant(state, requestHash)
  if (settled !== undefined) return settled
  if (hasMaximum(state, check)) return refuse("too-many")
  const spki = await readCsr(request.csr)
  if (spki === undefined) return refuse("bad-request")
  const admitted = await admit(context, { request, spki, invited, requestHash, known })
  return grant(admitted, admitted)
}

type JoinCheck = {
  readonly invited: Invitation
  /** The same identity was here before: it keeps its device id, and so its contacts their way to it. */
  readonly known: Device | undefined
  readonly sign: string
  readonly now: number
}

function refusalFor(state: RegistryState, { invited, known, sign, now }: JoinCheck): Decision | undefined {
  const { admitted: earlier, lapsed, expiresAt, user } = invited
  if (earlier !== undefined && earlier.sign !== sign) return refuse("used-invitation")
  if (isRevoked(state, user)) return refuse("revoked")
  // A join that was held back must not take its successor's place.
  const admitted = earlier && state.devices.get(earlier.device)
  if (admitted?.revokedAt !== undefined) return refuseRevoked(admitted)
  if (known?.revokedAt !== undefined) return refuse("revoked")
  if (lapsed) return refuse("unknown-invitation")
  return now >= expiresAt ? refuse("expired-invitation") : undefined
}

function hasMaximum(state: RegistryState, { invited, known }: JoinCheck): boolean {
  return known === undefined
    ? hasMaxDevices(state, invited.user)
    : known.certificates.length >= CERTIFICATES_MAX
}

type JoinInput = {
  readonly request: Join
  readonly spki: Uint8Array
  readonly invited: Invitation
  readonly requestHash: Uint8Array
  readonly known: Device | undefined
}

async function admit(context: RegistrarContext, input: JoinInput): Promise<Admitted> {
  const { request, spki, invited, requestHash, known } = input
  const device = known?.device ?? toBase64url(context.random(ID_BYTES))
  return {
    kind: "admitted",
    at: context.now(),
    user: invited.user,
    device,
    sign: toBase64url(request.sign),
    spkiHash: toBase64url(hash32(spki)),
    secretHash: invited.secretHash,
    requestHash: toBase64url(requestHash),
    deviceName: request.deviceName,
    certificate: await issueCertificate(context, device, spki),
  }
}

type Invite = Extract<RegistrationRequest, { kind: "invite" | "add-device" }>
type VerifiedInvite = VerifiedRequest & { readonly request: Invite }

function invite(context: RegistrarContext, state: RegistryState, verified: VerifiedInvite): Decision {
  const { request, requestHash, topicId } = verified
  const device = toBase64url(request.device)
  const member = memberOf(state, device, request.sign)
  if (member === undefined || topicId !== device) return refuse("not-a-member")
  if (member.revokedAt !== undefined) return refuseRevoked(member)
  const isForNewUser = request.kind === "invite"
  if (isForNewUser && !state.membersMayInvite && !isOperator(state, member.user)) return refuse("not-allowed")
  const seed = context.seedOf(requestHash)
  const [user, secret] = [seed.slice(0, ID_BYTES), seed.slice(ID_BYTES, ID_BYTES + SECRET_BYTES)]
  const earlier = state.invitations.get(hashSecret(secret))
  if (earlier !== undefined) return { entry: undefined, answer: invitedAgain(context, earlier, secret) }
  if (requestsWithin(state, device, HOUR_MS, context.now()) >= INVITATIONS_PER_HOUR) return refuse("too-many")
  if (isForNewUser)
    return invited(
      newInvitation(context, { name: "", by: device, operator: false, user: toBase64url(user), secret }),
    )
  return inviteDevice(context, state, member, secret)
}

/** The same bytes again make no second invitation, even if what they made was used or has lapsed since. */
function invitedAgain(
  { publicKey: registrar }: RegistrarContext,
  { user, expiresAt }: Invitation,
  secret: Uint8Array,
): Decision["answer"] {
  const invitation = encodeInvitation({
    ...{ user: bytesOf(user), secret, registrar },
    expiresAt: Math.floor(expiresAt / 1000),
  })
  return { kind: "invited", invitation }
}

/** All users who may invite: a further device brings no new user. */
function inviteDevice(
  context: RegistrarContext,
  state: RegistryState,
  { device, user }: Device,
  secret: Uint8Array,
): Decision {
  if (hasMaxDevices(state, user)) return refuse("too-many")
  const { name = "", operator = false } = state.users.get(user) ?? {}
  return invited(newInvitation(context, { name, by: device, operator, user, secret }))
}

function invited({ entry, invitation }: ReturnType<typeof newInvitation>): Decision {
  return { entry, answer: { kind: "invited", invitation } }
}

type Renew = Extract<RegistrationRequest, { kind: "renew" }>

async function renew(
  context: RegistrarContext,
  state: RegistryState,
  request: Renew,
  requestHash: Uint8Array,
): Promise<Decision> {
  const device = toBase64url(request.device)
  const member = memberOf(state, device, request.sign)
  if (member === undefined) return refuse("not-a-member")
  if (member.revokedAt !== undefined) return refuseRevoked(member)
  const repeated = repeatedGrant(state, requestHash)
  if (repeated !== undefined) return repeated
  const spki = await readCsr(request.csr)
  if (spki === undefined || toBase64url(hash32(spki)) !== member.spkiHash) return refuse("bad-request")
  if (isRecentlyIssued(state, member, context.now())) return grant(member)
  const certificate = await issueCertificate(context, device, spki)
  const renewed = { at: context.now(), device, requestHash: toBase64url(requestHash), certificate }
  return grant({ user: member.user, certificate }, { kind: "renewed", ...renewed })
}

/**
 * Issued within the hour: a repeated request gets it again, or each request would grow the ledger. One from a time when the
 * machine's clock was ahead is replaced, for no one could use it before then.
 */
function isRecentlyIssued(state: RegistryState, device: Device, now: number): boolean {
  return isCurrent(state, device) && Math.abs(now - device.at) < HOUR_MS
}

/** A device that was let in, if the request is signed with the key it came in with. */
function memberOf(state: RegistryState, device: string, sign: VerifyKey): Device | undefined {
  const member = state.devices.get(device)
  return member?.sign === toBase64url(sign) ? member : undefined
}

function hasMaxDevices(state: RegistryState, user: string): boolean {
  return devicesOf(state, user).filter(({ revokedAt }) => revokedAt === undefined).length >= DEVICES_MAX
}

function hashSecret(secret: Uint8Array): string {
  return toBase64url(hash32(SECRET_LABEL, secret))
}
