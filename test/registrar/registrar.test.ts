import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { afterEach, expect, test } from "vitest"
import { makeAuthority } from "../../src/broker/certificates.ts"
import { fromBase64url, toBase64url } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { DEVICE_DAYS } from "../../src/registrar/authority.ts"
import { listDevices, listUsers } from "../../src/registrar/members.ts"
import { DEVICES_MAX, INVITATION_DAYS, INVITATIONS_PER_HOUR } from "../../src/registrar/admission.ts"
import { deviceKeyOf, makeDeviceKey } from "../../src/transport/device-key.ts"
import {
  type Applicant,
  enroll,
  type Enrolled,
  renew,
  requestDevice,
  requestInvitation,
} from "../../src/transport/enroll.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import { decodeInvitation, type RegistrationRequest } from "../../src/wire/registration.ts"
import { type SealedRequest, sealRequest } from "../../src/wire/registration-box.ts"
import { faultOf, type Wire } from "../transport/post.ts"
import { newApplicant, newTown, type Town } from "./world.ts"

const DAY = 24 * 3600 * 1000
const INBOX = "AAAAAAAAAAAAAAAAAAAAAA"

let town: Town | undefined

async function given(...change: Parameters<typeof newTown>): Promise<Town> {
  town = await newTown(...change)
  return town
}

async function member(here: Town, applicant: Applicant): Promise<Enrolled> {
  const invitation = await here.invite(toBase64url(systemRandom(6)))
  return enroll(applicant, { line: here.dial(), invitation, deviceName: "laptop" })
}

/** A join made by hand, so that the same bytes can be sent twice. */
function joinBy(applicant: Applicant, invitation: Uint8Array, csr?: Uint8Array) {
  const { user, secret, registrar } = decodeInvitation(invitation)!
  const request: RegistrationRequest = {
    kind: "join",
    user,
    secret,
    sign: applicant.identity.public.sign,
    deviceName: "laptop",
    csr: csr ?? makeDeviceKey().csr,
  }
  const topicId = systemRandom(16)
  const sealed = sealRequest(request, { registrar, topicId }, applicant.identity.signSecret, systemRandom)!
  return { id: toBase64url(topicId), sealed }
}

async function ask(wire: Wire, id: string, sealed: SealedRequest) {
  let hear: (payload: Uint8Array) => void = () => undefined
  const heard = new Promise<Uint8Array>((resolve) => (hear = resolve))
  const leave = await wire.listen(`mc/1/reg/a/${id}`, (payload) => hear(payload))
  await wire.publish(`mc/1/reg/q/${id}`, sealed.payload)
  const answer = sealed.openAnswer(await heard)
  leave()
  return answer
}

afterEach(async () => {
  await town?.end()
  town = undefined
})

test("Alice comes in with an invitation, and her certificate opens her own inbox [R-3] [R-7]", async () => {
  const { invite, dial, admitted, world } = await given()
  const invitation = await invite("alice")
  const credential = await enroll(newApplicant(), { line: dial(), invitation, deviceName: "laptop" })
  expect(admitted).toEqual([{ deviceName: "laptop", operator: false }])
  expect(credential.userId).toBe(toBase64url(decodeInvitation(invitation)!.user))

  const own = dial(credential)
  await own.transport.subscribe(`mc/1/i/${credential.deviceId}/+`)
  await own.publish(`mc/1/i/${credential.deviceId}/${INBOX}`, Buffer.from("hello"))
  expect((await own.frame()).payload).toEqual(Buffer.from("hello"))

  const certificate = new X509Certificate(credential.certificate)
  expect(certificate.subject).toBe(`CN=${credential.deviceId}`)
  expect(fromBase64url(credential.deviceId)).toHaveLength(16)
  expect(certificate.ca).toBe(false)
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"])
  expect(certificate.verify(new X509Certificate(world.authority.caCertificate).publicKey)).toBe(true)
  const days = (Date.parse(certificate.validTo) - Date.now()) / DAY
  expect(days).toBeGreaterThan(DEVICE_DAYS - 1)
  expect(days).toBeLessThanOrEqual(DEVICE_DAYS)
})

test("an invitation lets one device in; the same bytes again get the same certificate [R-3]", async () => {
  const here = await given()
  const invitation = await here.invite("alice")
  const alice = newApplicant()
  const { id, sealed } = joinBy(alice, invitation)
  const first = await ask(here.dial(), id, sealed)
  expect(first?.kind).toBe("admitted")
  expect(await ask(here.dial(), id, sealed)).toEqual(first)

  await here.reopen()
  expect(await ask(here.dial(), id, sealed)).toEqual(first)

  const mallory = enroll(newApplicant(), { line: here.dial(), invitation, deviceName: "laptop" })
  expect(await faultOf(mallory)).toMatchObject({
    code: "refused",
    message: "this invitation was used already",
  })
  expect(here.admitted).toHaveLength(1)
})

test("a request intercepted on its way lets nobody else in, not even by being sent first [R-2] [R-3]", async () => {
  const here = await given()
  const invitation = await here.invite("alice")
  const { id, sealed } = joinBy(newApplicant(), invitation)
  const mallory = joinBy(newApplicant(), await here.invite("mallory"))
  const atMallory = here.dial()
  const stolen: Uint8Array[] = []
  await atMallory.listen(`mc/1/reg/a/${id}`, (payload) => stolen.push(payload))
  await atMallory.publish(`mc/1/reg/q/${id}`, sealed.payload)
  await atMallory.frame()
  expect(stolen.map((answer) => mallory.sealed.openAnswer(answer))).toEqual([undefined])

  expect((await ask(here.dial(), id, sealed))?.kind).toBe("admitted")
  expect(here.admitted).toHaveLength(1)
  expect(listDevices(here.registrar.ledger.roll)).toMatchObject([{ user: "alice" }])
})

test("whoever lost the answer asks again with a new key and stays the same device [R-3]", async () => {
  const here = await given()
  const invitation = await here.invite("alice")
  const alice = newApplicant()
  const lost = await enroll(alice, { line: here.dial(), invitation, deviceName: "laptop" })
  const again = await enroll(alice, { line: here.dial(), invitation, deviceName: "laptop" })
  expect(again.deviceId).toBe(lost.deviceId)
  expect(again.key).not.toBe(lost.key)
  const { publicKey: registrar } = here.registrar
  const renewed = renew(alice, { line: here.dial(), registrar, credential: lost, guest: true })
  expect(await faultOf(renewed)).toMatchObject({ code: "refused" })
  expect(listDevices(here.registrar.ledger.roll)).toMatchObject([{ user: "alice", device: lost.deviceId }])
})

test("an invitation that has expired lets nobody in, nor answers repeats [R-1] [R-3]", async () => {
  const here = await given()
  const invitation = await here.invite("alice")
  const used = await here.invite("bob")
  const bob = joinBy(newApplicant(), used)
  expect((await ask(here.dial(), bob.id, bob.sealed))?.kind).toBe("admitted")

  await here.reopen()
  here.setClock(Date.now() + INVITATION_DAYS * DAY)
  const alice = joinBy(newApplicant(), invitation)
  expect(await ask(here.dial(), alice.id, alice.sealed)).toEqual({
    kind: "refused",
    why: "expired-invitation",
  })
  expect(await ask(here.dial(), bob.id, bob.sealed)).toEqual({ kind: "refused", why: "expired-invitation" })
})

test("a wrong secret and an invitation that never was get the same answer [R-4]", async () => {
  const here = await given()
  const invitation = await here.invite("alice")
  const guessed = Uint8Array.from(invitation)
  guessed[20]! ^= 1
  const invented = Uint8Array.from(invitation)
  invented[3]! ^= 1
  for (const wrong of [guessed, invented]) {
    const { id, sealed } = joinBy(newApplicant(), wrong)
    expect(await ask(here.dial(), id, sealed)).toEqual({ kind: "refused", why: "unknown-invitation" })
  }
  expect((await member(here, newApplicant())).deviceId).toHaveLength(22)
})

test("a request that is no PKCS #10 of a P-256 key is refused and leaves the invitation good [R-7]", async () => {
  const here = await given()
  const invitation = await here.invite("alice")
  const good = makeDeviceKey().csr
  const unsigned = Uint8Array.from(good)
  unsigned[unsigned.length - 1]! ^= 1
  for (const csr of [unsigned, Buffer.from("nonsense"), good.subarray(0, 40)]) {
    const { id, sealed } = joinBy(newApplicant(), invitation, csr)
    expect(await ask(here.dial(), id, sealed)).toEqual({ kind: "refused", why: "bad-request" })
  }
  const { id, sealed } = joinBy(newApplicant(), invitation, good)
  expect((await ask(here.dial(), id, sealed))?.kind).toBe("admitted")
})

test("a member invites Bob, who comes in; a stranger's request and one in another's name are refused [R-5]", async () => {
  const here = await given()
  const alice = newApplicant()
  const mallory = newApplicant()
  const credential = await member(here, alice)
  const other = await member(here, mallory)
  const { publicKey: registrar } = here.registrar

  const line = here.dial(credential)
  const invitation = await requestInvitation(alice, { line, registrar, deviceId: credential.deviceId })
  const bob = await enroll(newApplicant(), { line: here.dial(), invitation, deviceName: "bob" })
  expect(bob.deviceId).not.toBe(credential.deviceId)

  const inAlicesName = requestInvitation(mallory, { line, registrar, deviceId: credential.deviceId })
  expect(await faultOf(inAlicesName)).toMatchObject({ code: "refused" })
  const device = fromBase64url(credential.deviceId)!
  const topicId = fromBase64url(other.deviceId)!
  const request: RegistrationRequest = { kind: "invite", device, sign: alice.identity.public.sign }
  const elsewhere = sealRequest(request, { registrar, topicId }, alice.identity.signSecret, systemRandom)!
  expect(await ask(here.dial(other), other.deviceId, elsewhere)).toEqual({
    kind: "refused",
    why: "not-a-member",
  })
})

test("where members may not invite, the operator still may [R-5]", async () => {
  const here = await given({ membersMayInvite: false })
  const { publicKey: registrar } = here.registrar
  const owner = newApplicant()
  const invitation = (await here.inviteOperator())!
  const operator = await enroll(owner, { line: here.dial(), invitation, deviceName: "here" })
  expect(here.admitted).toEqual([{ deviceName: "here", operator: true }])
  const alice = newApplicant()
  const credential = await member(here, alice)

  const asked = requestInvitation(alice, {
    line: here.dial(credential),
    registrar,
    deviceId: credential.deviceId,
  })
  expect(await faultOf(asked)).toMatchObject({ message: "members of this broker may not invite others" })
  const line = here.dial(operator)
  expect(await requestInvitation(owner, { line, registrar, deviceId: operator.deviceId })).toHaveLength(72)
})

test("a member has twenty invitations an hour, also across a restart of the registrar [R-5]", async () => {
  const here = await given()
  const alice = newApplicant()
  const credential = await member(here, alice)
  const request = {
    line: here.dial(credential),
    registrar: here.registrar.publicKey,
    deviceId: credential.deviceId,
  }
  for (let n = 1; n <= INVITATIONS_PER_HOUR; n += 1) await requestInvitation(alice, request)
  expect((await faultOf(requestInvitation(alice, request))).message).toContain("too many")
  await here.reopen()
  expect((await faultOf(requestInvitation(alice, request))).message).toContain("too many")
  here.setClock(Date.now() + 3600 * 1000 + 1000)
  expect(await requestInvitation(alice, request)).toHaveLength(72)
})

test("a certificate is renewed for the same name and key, by its owner only [R-6]", async () => {
  const here = await given()
  const { publicKey: registrar } = here.registrar
  const alice = newApplicant()
  const credential = await member(here, alice)
  here.setClock(Date.now() + 60 * DAY)

  const renewed = await renew(alice, { line: here.dial(credential), registrar, credential, guest: false })
  expect(renewed).toMatchObject({ deviceId: credential.deviceId, key: credential.key })
  expect(Date.parse(new X509Certificate(renewed.certificate).validTo)).toBeGreaterThan(Date.now() + 149 * DAY)
  const asGuest = await renew(alice, { line: here.dial(), registrar, credential, guest: true })
  // whoever asks again at once gets the same again, and the ledger does not grow
  expect(asGuest.certificate).toBe(renewed.certificate)

  const byMallory = renew(newApplicant(), { line: here.dial(), registrar, credential, guest: true })
  expect(await faultOf(byMallory)).toMatchObject({ code: "refused" })
  const { key } = makeDeviceKey()
  const otherKey = renew(alice, {
    line: here.dial(),
    registrar,
    credential: { ...credential, key },
    guest: true,
  })
  expect(await faultOf(otherKey)).toMatchObject({ code: "refused" })
  expect(deviceKeyOf(credential.key).key).toBe(credential.key)
})

test("the operator is invited at each start until a device has used it, and older ones lapse [R-1]", async () => {
  const here = await given()
  const before = (await here.inviteOperator())!
  await here.reopen()
  const invitation = (await here.inviteOperator())!
  const late = enroll(newApplicant(), { line: here.dial(), invitation: before, deviceName: "old" })
  expect(await faultOf(late)).toMatchObject({ code: "refused" })
  await enroll(newApplicant(), { line: here.dial(), invitation, deviceName: "here" })
  expect(await here.inviteOperator()).toBeUndefined()
  await here.reopen()
  expect(await here.inviteOperator()).toBeUndefined()
})

test("an invitation is on disk before it is given out, and its secret is not [R-1] [R-8]", async () => {
  const here = await given()
  const invitation = await here.invite("alice")
  const { user, secret } = decodeInvitation(invitation)!
  const ledger = readFileSync(here.ledgerPath, "utf8")
  expect(ledger).toContain(toBase64url(user))
  expect(ledger).not.toContain(toBase64url(secret))
})

test("an admission is on disk before it is answered and before the broker hears that it was taken [R-8]", async () => {
  const onDisk: { readonly step: string; readonly ledger: string }[] = []
  const here = await given({
    connect: (target, events) => {
      const look = (step: string) => onDisk.push({ step, ledger: readFileSync(here.ledgerPath, "utf8") })
      const link = connectMqtt(target, {
        ...events,
        onFrame: async (topic, payload) => {
          await events.onFrame(topic, payload)
          look("acknowledged")
        },
      })
      return {
        ...link,
        publish: (topic, payload) => {
          look("answered")
          return link.publish(topic, payload)
        },
      }
    },
  })
  const { deviceId } = await member(here, newApplicant())
  expect(onDisk.map(({ step }) => step)).toEqual(["answered", "acknowledged"])
  for (const { ledger } of onDisk) expect(ledger).toContain(deviceId)
})

test("noise on the registration topics gets no answer and stops nobody [R-3]", async () => {
  const here = await given()
  const guest = here.dial()
  const id = toBase64url(systemRandom(16))
  const answers: Uint8Array[] = []
  await guest.listen(`mc/1/reg/a/${id}`, (payload) => answers.push(payload))
  for (const length of [0, 1, 1023, 1024, 1025, 60_000]) {
    await guest.publish(`mc/1/reg/q/${id}`, systemRandom(length))
  }
  expect((await member(here, newApplicant())).deviceId).toHaveLength(22)
  expect(answers).toEqual([])
})

test("a registrar that the broker turns away says so, and keeps its ledger whole", async () => {
  const here = await given()
  const invitation = await here.invite("alice")
  const stranger = await makeAuthority()
  expect(await faultOf(here.reopen({ keys: stranger }))).toMatchObject({ code: "refused" })
  await here.reopen()
  const credential = await enroll(newApplicant(), { line: here.dial(), invitation, deviceName: "laptop" })
  expect(credential.deviceId).toHaveLength(22)
})

test("of two devices that race for one invitation one comes in, whichever [R-3]", async () => {
  const here = await given()
  const invitation = await here.invite("alice")
  const racing = Array.from({ length: 6 }, (_, n) =>
    enroll(newApplicant(), { line: here.dial(), invitation, deviceName: `laptop ${n}` }),
  )
  const ended = await Promise.allSettled(racing)
  expect(ended.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
  for (const end of ended) {
    if (end.status === "rejected")
      expect(end.reason).toMatchObject({ message: "this invitation was used already" })
  }
  expect(here.admitted).toHaveLength(1)
})

test("a member brings a further device of their own, whoever may invite, up to eight [R-10]", async () => {
  const here = await given({ membersMayInvite: false })
  const { registrar } = here
  const alice = newApplicant()
  const credential = await member(here, alice)
  const asking = {
    line: here.dial(credential),
    registrar: registrar.publicKey,
    deviceId: credential.deviceId,
  }
  const own = new Set([credential.userId])
  for (let n = 2; n <= DEVICES_MAX; n += 1) {
    const invitation = await requestDevice(alice, asking)
    own.add(
      (await enroll(newApplicant(), { line: here.dial(), invitation, deviceName: `laptop ${n}` })).userId,
    )
  }
  expect(own.size).toBe(1)
  expect((await faultOf(requestDevice(alice, asking))).message).toContain("too many")
  expect(listUsers(registrar.ledger.roll)).toMatchObject([{ devices: DEVICES_MAX }])
})
