import { fromBase64url, toBase64url } from "../crypto/bytes.ts"
import type { PublicKey, Random } from "../crypto/bytes.ts"
import { Fault } from "../errors.ts"
import type { IdentityKeys } from "../wire/identity.ts"
import type { LedgerWatch } from "../wire/ledger-view.ts"
import { decodeInvitation } from "../wire/registration.ts"
import type {
  RegistrarReply,
  RegistrationAnswer,
  RegistrationRefusal,
  RegistrationRequest,
} from "../wire/registration.ts"
import { sealRequest, type SealedRequest } from "../wire/registration-box.ts"
import { ID_BYTES, registrationAnswerTopic, registrationRequestTopic } from "../wire/topics.ts"
import { acceptCertificate, deviceKeyOf, makeDeviceKey } from "./device-key.ts"
import type { Credential, Publisher } from "./transport.ts"
import { deferred } from "../async/deferred.ts"

/** The registrar is asked again with the same bytes; it answers within some 20 ms, so only a lost frame waits. */
export const REPEAT_MS = 2_000
/** A laptop that just woke needs a while; after that no registrar is there. */
const TRIES_MAX = 10

export type DeviceCredential = Extract<Credential, { kind: "device" }>
/** A device's first certificate; the user id (base64url of 16 bytes) is what the registrar's ledger knows its owner by. */
export type Enrolled = DeviceCredential & { readonly userId: string }

/** Who asks. */
export type Applicant = {
  readonly identity: IdentityKeys
  readonly random: Random
  /** Runs `run` once after `ms`; the returned function cancels it. */
  readonly after: (ms: number, run: () => void) => () => void
  /** Undefined for one that keeps nothing of the ledger. */
  readonly ledger?: LedgerWatch
}

/**
 * Turns an invitation (72 bytes) into a device certificate, over a guest's link whose pin is proven.
 * Faults: `bad-data` for an invitation that is none, `refused` with the registrar's reason, `unavailable` when it
 * does not answer, `protocol` when it answers with something else.
 */
export async function enroll(
  applicant: Applicant,
  request: { readonly publisher: Publisher; readonly invitation: Uint8Array; readonly deviceName: string },
): Promise<Enrolled> {
  const invitation = decodeInvitation(request.invitation)
  if (invitation === undefined) throw new Fault("bad-data", "this is not an invitation", "ask for a new one")
  const { key, csr } = makeDeviceKey()
  const { user, secret, registrar } = invitation
  const sign = applicant.identity.public.sign
  const answer = await sendRequest(applicant, request.publisher, {
    registrar,
    topicId: applicant.random(ID_BYTES),
    request: { kind: "join", user, secret, sign, deviceName: request.deviceName, csr },
  })
  return { ...credentialFrom(answer, key), userId: toBase64url(user) }
}

/**
 * A new device of the same user for an identity that was one before and came here in a backup; the old one is out from
 * then on. Over a guest's link whose pin is proven. Faults as `enroll`.
 */
export async function restore(
  applicant: Applicant,
  request: {
    readonly publisher: Publisher
    readonly registrar: PublicKey
    readonly deviceName: string
    /** Unix ms. */
    readonly now: number
  },
): Promise<Enrolled> {
  const { key, csr } = makeDeviceKey()
  const { publisher, registrar, deviceName, now: askedAt } = request
  const sign = applicant.identity.public.sign
  const answer = await sendRequest(applicant, publisher, {
    registrar,
    topicId: applicant.random(ID_BYTES),
    request: { kind: "restore", sign, askedAt, deviceName, csr },
  })
  const user = answer.kind === "admitted" ? answer.user : unexpected()
  return { ...credentialFrom(answer, key), userId: toBase64url(user) }
}

/** What a member's request for an invitation goes with. */
export type MemberRequest = {
  readonly publisher: Publisher
  readonly registrar: PublicKey
  readonly deviceId: string
}

/** Asks for a fresh invitation (72 bytes) to hand on, as a member, over the profile's own link. Faults as `enroll`. */
export function requestInvitation(applicant: Applicant, request: MemberRequest): Promise<Uint8Array> {
  return invitationFor(applicant, "invite", request)
}

/** The same for a further device of the one who asks. */
export function requestDevice(applicant: Applicant, request: MemberRequest): Promise<Uint8Array> {
  return invitationFor(applicant, "add-device", request)
}

async function invitationFor(
  applicant: Applicant,
  kind: "invite" | "add-device",
  { publisher, registrar, deviceId }: MemberRequest,
): Promise<Uint8Array> {
  const device = deviceBytes(deviceId)
  const request = { kind, device, sign: applicant.identity.public.sign }
  const answer = await sendRequest(applicant, publisher, { registrar, topicId: device, request })
  return answer.kind === "invited" ? answer.invitation : unexpected()
}

/**
 * A new certificate for the same device id and key, over the profile's own link while the old one is valid,
 * as a guest afterwards. Faults as `enroll`.
 */
export async function renew(
  applicant: Applicant,
  request: {
    readonly publisher: Publisher
    readonly registrar: PublicKey
    readonly credential: DeviceCredential
    readonly guest: boolean
  },
): Promise<DeviceCredential> {
  const { credential, registrar } = request
  const device = deviceBytes(credential.deviceId)
  const { csr } = deviceKeyOf(credential.key)
  const answer = await sendRequest(applicant, request.publisher, {
    registrar,
    topicId: request.guest ? applicant.random(ID_BYTES) : device,
    request: { kind: "renew", device, sign: applicant.identity.public.sign, csr },
  })
  return credentialFrom(answer, credential.key)
}

/**
 * Asks only for the head of the ledger, which `applicant.ledger` hears of, over a guest's connection whose pin is
 * proven. Faults as `enroll`.
 */
export async function requestHead(
  applicant: Applicant,
  { publisher, registrar }: { readonly publisher: Publisher; readonly registrar: PublicKey },
): Promise<void> {
  const topicId = applicant.random(ID_BYTES)
  const request = { kind: "head", sign: applicant.identity.public.sign } as const
  const answer = await sendRequest(applicant, publisher, { registrar, topicId, request })
  if (answer.kind !== "head") unexpected()
}

type RegistrarRequest = {
  readonly registrar: PublicKey
  readonly topicId: Uint8Array
  readonly request: RequestFields
}

type RequestFields = RegistrationRequest extends infer Each
  ? Each extends unknown
    ? Omit<Each, "known">
    : never
  : never
type Granted = Extract<RegistrationAnswer, { kind: "admitted" | "invited" | "head" }>

/** Subscribes, asks with the same bytes until something opens, and leaves nothing behind. */
async function sendRequest(
  applicant: Applicant,
  publisher: Publisher,
  outgoing: RegistrarRequest,
): Promise<Granted> {
  const { registrar, topicId } = outgoing
  const { ledger, identity, random } = applicant
  const known = ledger?.known(registrar) ?? 0
  const request = { ...outgoing.request, known }
  const sealed = sealRequest(request, { registrar, topicId }, identity.signSecret, random)
  if (sealed === undefined)
    throw new Fault("bad-data", "the registrar's key is damaged", "ask for a new invitation")
  const id = toBase64url(topicId)
  const { answer, ledger: view } = await exchange(applicant, publisher, id, sealed)
  if (view !== undefined) await ledger?.onView(registrar, known, view)
  if (answer.kind === "refused") throw refused(answer.why)
  if (answer.kind === "replaced") throw replaced(answer.at)
  return answer
}

async function exchange(applicant: Applicant, publisher: Publisher, id: string, sealed: SealedRequest) {
  const answered = deferred<RegistrarReply>()
  const unsubscribe = await publisher.listen(registrationAnswerTopic(id), (payload) => {
    const reply = sealed.openAnswer(payload)
    if (reply !== undefined) answered.resolve(reply)
  })
  try {
    return await repeat(applicant, answered.promise, () =>
      publisher.publish(registrationRequestTopic(id), sealed.payload),
    )
  } finally {
    unsubscribe()
  }
}

function repeat<T>(applicant: Applicant, answer: Promise<T>, send: () => Promise<void>): Promise<T> {
  return new Promise((resolve, reject) => {
    let tries = 0
    let cancel: () => void = () => undefined
    const next = () => {
      if (tries === TRIES_MAX) {
        reject(
          new Fault(
            "unavailable",
            "the broker's registrar does not answer",
            "ask the person who runs the broker",
          ),
        )
        return
      }
      tries += 1
      cancel = applicant.after(REPEAT_MS, next)
      // a publish that the link lost is repeated like any other; one that the broker refuses is not
      send().catch((error: unknown) => {
        if (error instanceof Fault && error.code === "unavailable") return
        cancel()
        reject(error instanceof Error ? error : new Fault("bug", "a publish failed without an error"))
      })
    }
    void answer.then((value) => {
      cancel()
      resolve(value)
    })
    next()
  })
}

function credentialFrom(answer: Granted, key: string): DeviceCredential {
  const admitted = answer.kind === "admitted" ? acceptCertificate(answer.certificate, key) : undefined
  return admitted === undefined ? unexpected() : { kind: "device", ...admitted, key }
}

function unexpected(): never {
  throw new Fault("protocol", "the registrar answered something that was not asked")
}

function deviceBytes(deviceId: string): Uint8Array {
  const device = fromBase64url(deviceId)
  if (device?.length !== ID_BYTES) throw new Fault("bug", "a device id is 16 bytes")
  return device
}

const REASON: Readonly<Record<RegistrationRefusal, string>> = {
  "unknown-invitation": "the broker's registrar does not know this invitation",
  "used-invitation": "this invitation was used already",
  "expired-invitation": "this invitation has expired",
  "not-a-member": "the broker's registrar does not know this device",
  "not-allowed": "members of this broker may not invite others",
  "too-many": "too many devices, or too many requests in a short time",
  "bad-request": "the broker's registrar does not understand this request",
  revoked: "this device or its user was shut out of the broker",
  "out-of-time":
    "this machine's clock and that of the broker's registrar differ, or another of your machines asked later",
}

function refused(why: RegistrationRefusal): Fault {
  return new Fault("refused", REASON[why], "ask the person who runs the broker for an invitation", why)
}

/** The last day that has a date (ECMA-262 section 21.4.1.1), unix ms. */
const LAST_MS = 8_640_000_000_000_000

function replaced(at: number): Fault {
  const day = new Date(Math.min(at, LAST_MS)).toISOString().slice(0, 10)
  const message = `this device was replaced on ${day} by another of yours`
  return new Fault("replaced", message, "go on there; what is here stays readable: mqttchat history NAME")
}
