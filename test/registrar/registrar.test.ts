import { X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { afterEach, expect, test } from "vitest"
import { makeAuthority } from "../../src/broker/certificates.ts"
import { fromBase64url, toBase64url } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { DEVICE_DAYS } from "../../src/registrar/authority.ts"
import { listDevices } from "../../src/registrar/admin/lists.ts"
import { INVITATION_DAYS } from "../../src/registrar/decide.ts"
import { deviceKeyOf, makeDeviceKey } from "../../src/transport/device-key.ts"
import { type Applicant, enroll, renew, requestInvitation } from "../../src/transport/enroll.ts"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import { decodeInvitation, type RegistrationRequest } from "../../src/wire/registration.ts"
import { type SealedRequest, sealRequest } from "../../src/wire/registration-box.ts"
import { faultOf, type TransportFixture } from "../transport/transport-fixture.ts"
import {
  enrollMember,
  newApplicant,
  newRegistrarFixture,
  type RegistrarFixture,
} from "./registrar-fixture.ts"

const DAY = 24 * 3600 * 1000
const INBOX = "AAAAAAAAAAAAAAAAAAAAAA"

let started: RegistrarFixture | undefined

async function startFixture(...change: Parameters<typeof newRegistrarFixture>): Promise<RegistrarFixture> {
  started = await newRegistrarFixture(...change)
  return started
}

/** A join made by hand, so that the same bytes can be sent twice. */
function joinBy(applicant: Applicant, invitation: Uint8Array, csr?: Uint8Array) {
  const { user, secret, registrar } = decodeInvitation(invitation)!
  const request: RegistrationRequest = {
    kind: "join",
    known: 0,
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

async function ask(client: TransportFixture, id: string, sealed: SealedRequest) {
  let resolveAnswer: (payload: Uint8Array) => void = () => undefined
  const answered = new Promise<Uint8Array>((resolve) => (resolveAnswer = resolve))
  const unsubscribe = await client.listen(`mc/1/reg/a/${id}`, (payload) => resolveAnswer(payload))
  await client.publish(`mc/1/reg/q/${id}`, sealed.payload)
  const answer = sealed.openAnswer(await answered)?.answer
  unsubscribe()
  return answer
}

afterEach(async () => {
  await started?.end()
  started = undefined
})

test("Alice registers with an invitation, and her certificate gives access to her own inbox [R-3] [R-7]", async () => {
  const { invite, openTransport, admitted, brokerFixture } = await startFixture()
  const invitation = await invite("alice")
  const credential = await enroll(newApplicant(), {
    publisher: openTransport(),
    invitation,
    deviceName: "laptop",
  })
  expect(admitted).toEqual([{ deviceName: "laptop", operator: false }])
  expect(credential.userId).toBe(toBase64url(decodeInvitation(invitation)!.user))

  const own = openTransport(credential)
  await own.transport.subscribe(`mc/1/i/${credential.deviceId}/+`)
  await own.publish(`mc/1/i/${credential.deviceId}/${INBOX}`, Buffer.from("hello"))
  expect((await own.frame()).payload).toEqual(Buffer.from("hello"))

  const certificate = new X509Certificate(credential.certificate)
  expect(certificate.subject).toBe(`CN=${credential.deviceId}`)
  expect(fromBase64url(credential.deviceId)).toHaveLength(16)
  expect(certificate.ca).toBe(false)
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"])
  expect(certificate.verify(new X509Certificate(brokerFixture.authority.caCertificate).publicKey)).toBe(true)
  const days = (Date.parse(certificate.validTo) - Date.now()) / DAY
  expect(days).toBeGreaterThan(DEVICE_DAYS - 1)
  expect(days).toBeLessThanOrEqual(DEVICE_DAYS)
})

test("an invitation admits one device; the same bytes again get the same certificate [R-3]", async () => {
  const fixture = await startFixture()
  const invitation = await fixture.invite("alice")
  const alice = newApplicant()
  const { id, sealed } = joinBy(alice, invitation)
  const first = await ask(fixture.openTransport(), id, sealed)
  expect(first?.kind).toBe("admitted")
  expect(await ask(fixture.openTransport(), id, sealed)).toEqual(first)

  await fixture.reopen()
  expect(await ask(fixture.openTransport(), id, sealed)).toEqual(first)

  const mallory = enroll(newApplicant(), {
    publisher: fixture.openTransport(),
    invitation,
    deviceName: "laptop",
  })
  expect(await faultOf(mallory)).toMatchObject({
    code: "refused",
    message: "this invitation was used already",
  })
  expect(fixture.admitted).toHaveLength(1)
})

test("an intercepted request admits no other device, even if it is sent first [R-2] [R-3]", async () => {
  const fixture = await startFixture()
  const invitation = await fixture.invite("alice")
  const { id, sealed } = joinBy(newApplicant(), invitation)
  const mallory = joinBy(newApplicant(), await fixture.invite("mallory"))
  const atMallory = fixture.openTransport()
  const stolen: Uint8Array[] = []
  await atMallory.listen(`mc/1/reg/a/${id}`, (payload) => stolen.push(payload))
  await atMallory.publish(`mc/1/reg/q/${id}`, sealed.payload)
  await atMallory.frame()
  expect(stolen.map((answer) => mallory.sealed.openAnswer(answer))).toEqual([undefined])

  expect((await ask(fixture.openTransport(), id, sealed))?.kind).toBe("admitted")
  expect(fixture.admitted).toHaveLength(1)
  expect(listDevices(fixture.registrar.ledger.state)).toMatchObject([{ user: "alice" }])
})

test("a device that lost the answer asks again with a new key and stays the same device [R-3]", async () => {
  const fixture = await startFixture()
  const invitation = await fixture.invite("alice")
  const alice = newApplicant()
  const lost = await enroll(alice, { publisher: fixture.openTransport(), invitation, deviceName: "laptop" })
  const again = await enroll(alice, { publisher: fixture.openTransport(), invitation, deviceName: "laptop" })
  expect(again.deviceId).toBe(lost.deviceId)
  expect(again.key).not.toBe(lost.key)
  const { publicKey: registrar } = fixture.registrar
  const renewed = renew(alice, {
    publisher: fixture.openTransport(),
    registrar,
    credential: lost,
    guest: true,
  })
  expect(await faultOf(renewed)).toMatchObject({ code: "refused" })
  expect(listDevices(fixture.registrar.ledger.state)).toMatchObject([
    { user: "alice", device: lost.deviceId },
  ])
})

test("an expired invitation admits no device, and repeats get no answer [R-1] [R-3]", async () => {
  const fixture = await startFixture()
  const invitation = await fixture.invite("alice")
  const used = await fixture.invite("bob")
  const bob = joinBy(newApplicant(), used)
  expect((await ask(fixture.openTransport(), bob.id, bob.sealed))?.kind).toBe("admitted")

  await fixture.reopen()
  fixture.setClock(Date.now() + INVITATION_DAYS * DAY)
  const alice = joinBy(newApplicant(), invitation)
  expect(await ask(fixture.openTransport(), alice.id, alice.sealed)).toEqual({
    kind: "refused",
    why: "expired-invitation",
  })
  expect(await ask(fixture.openTransport(), bob.id, bob.sealed)).toEqual({
    kind: "refused",
    why: "expired-invitation",
  })
})

test("a wrong secret and an invitation that never was get the same answer [R-4]", async () => {
  const fixture = await startFixture()
  const invitation = await fixture.invite("alice")
  const guessed = Uint8Array.from(invitation)
  guessed[20]! ^= 1
  const invented = Uint8Array.from(invitation)
  invented[3]! ^= 1
  for (const wrong of [guessed, invented]) {
    const { id, sealed } = joinBy(newApplicant(), wrong)
    expect(await ask(fixture.openTransport(), id, sealed)).toEqual({
      kind: "refused",
      why: "unknown-invitation",
    })
  }
  expect((await enrollMember(fixture, newApplicant())).deviceId).toHaveLength(22)
})

test("a request that is not PKCS #10 of a P-256 key is refused and leaves the invitation valid [R-7]", async () => {
  const fixture = await startFixture()
  const invitation = await fixture.invite("alice")
  const good = makeDeviceKey().csr
  const unsigned = Uint8Array.from(good)
  unsigned[unsigned.length - 1]! ^= 1
  for (const csr of [unsigned, Buffer.from("nonsense"), good.subarray(0, 40)]) {
    const { id, sealed } = joinBy(newApplicant(), invitation, csr)
    expect(await ask(fixture.openTransport(), id, sealed)).toEqual({ kind: "refused", why: "bad-request" })
  }
  const { id, sealed } = joinBy(newApplicant(), invitation, good)
  expect((await ask(fixture.openTransport(), id, sealed))?.kind).toBe("admitted")
})

test("a member invites Bob, who registers; requests from a stranger or in another name are refused [R-5]", async () => {
  const fixture = await startFixture()
  const alice = newApplicant()
  const mallory = newApplicant()
  const credential = await enrollMember(fixture, alice)
  const other = await enrollMember(fixture, mallory)
  const { publicKey: registrar } = fixture.registrar

  const publisher = fixture.openTransport(credential)
  const invitation = await requestInvitation(alice, { publisher, registrar, deviceId: credential.deviceId })
  const bob = await enroll(newApplicant(), {
    publisher: fixture.openTransport(),
    invitation,
    deviceName: "bob",
  })
  expect(bob.deviceId).not.toBe(credential.deviceId)

  const inAlicesName = requestInvitation(mallory, { publisher, registrar, deviceId: credential.deviceId })
  expect(await faultOf(inAlicesName)).toMatchObject({ code: "refused" })
  const device = fromBase64url(credential.deviceId)!
  const topicId = fromBase64url(other.deviceId)!
  const request: RegistrationRequest = { kind: "invite", known: 0, device, sign: alice.identity.public.sign }
  const elsewhere = sealRequest(request, { registrar, topicId }, alice.identity.signSecret, systemRandom)!
  expect(await ask(fixture.openTransport(other), other.deviceId, elsewhere)).toEqual({
    kind: "refused",
    why: "not-a-member",
  })
})

test("a certificate is renewed for the same name and key, by its owner only [R-6]", async () => {
  const fixture = await startFixture()
  const { publicKey: registrar } = fixture.registrar
  const alice = newApplicant()
  const credential = await enrollMember(fixture, alice)
  fixture.setClock(Date.now() + 60 * DAY)

  const renewed = await renew(alice, {
    publisher: fixture.openTransport(credential),
    registrar,
    credential,
    guest: false,
  })
  expect(renewed).toMatchObject({ deviceId: credential.deviceId, key: credential.key })
  expect(Date.parse(new X509Certificate(renewed.certificate).validTo)).toBeGreaterThan(Date.now() + 149 * DAY)
  const asGuest = await renew(alice, {
    publisher: fixture.openTransport(),
    registrar,
    credential,
    guest: true,
  })
  // a device that asks again at once gets the same answer, and the ledger does not grow
  expect(asGuest.certificate).toBe(renewed.certificate)

  const byMallory = renew(newApplicant(), {
    publisher: fixture.openTransport(),
    registrar,
    credential,
    guest: true,
  })
  expect(await faultOf(byMallory)).toMatchObject({ code: "refused" })
  const { key } = makeDeviceKey()
  const otherKey = renew(alice, {
    publisher: fixture.openTransport(),
    registrar,
    credential: { ...credential, key },
    guest: true,
  })
  expect(await faultOf(otherKey)).toMatchObject({ code: "refused" })
  expect(deviceKeyOf(credential.key).key).toBe(credential.key)
})

test("the operator is invited at each start until a device has used it, and older ones lapse [R-1]", async () => {
  const fixture = await startFixture()
  const before = (await fixture.inviteOperator())!
  await fixture.reopen()
  const invitation = (await fixture.inviteOperator())!
  const late = enroll(newApplicant(), {
    publisher: fixture.openTransport(),
    invitation: before,
    deviceName: "old",
  })
  expect(await faultOf(late)).toMatchObject({ code: "refused" })
  await enroll(newApplicant(), { publisher: fixture.openTransport(), invitation, deviceName: "here" })
  expect(await fixture.inviteOperator()).toBeUndefined()
  await fixture.reopen()
  expect(await fixture.inviteOperator()).toBeUndefined()
})

test("an invitation is on disk before it is given out, and its secret is not [R-1] [R-8]", async () => {
  const fixture = await startFixture()
  const invitation = await fixture.invite("alice")
  const { user, secret } = decodeInvitation(invitation)!
  const ledger = readFileSync(fixture.ledgerPath, "utf8")
  expect(ledger).toContain(toBase64url(user))
  expect(ledger).not.toContain(toBase64url(secret))
})

test("an admission is on disk before it is answered and before its request is acknowledged [R-8]", async () => {
  const onDisk: { readonly step: string; readonly ledger: string }[] = []
  const fixture = await startFixture({
    connect: (target, events) => {
      const look = (step: string) => onDisk.push({ step, ledger: readFileSync(fixture.ledgerPath, "utf8") })
      const transport = connectMqtt(target, {
        ...events,
        onFrame: async (topic, payload) => {
          await events.onFrame(topic, payload)
          look("acknowledged")
        },
      })
      return {
        ...transport,
        publish: (topic, payload) => {
          look("answered")
          return transport.publish(topic, payload)
        },
      }
    },
  })
  const { deviceId } = await enrollMember(fixture, newApplicant())
  expect(onDisk.map(({ step }) => step)).toEqual(["answered", "acknowledged"])
  for (const { ledger } of onDisk) expect(ledger).toContain(deviceId)
})

test("noise on the registration topics gets no answer and stops no other request [R-3]", async () => {
  const fixture = await startFixture()
  const guest = fixture.openTransport()
  const id = toBase64url(systemRandom(16))
  const answers: Uint8Array[] = []
  await guest.listen(`mc/1/reg/a/${id}`, (payload) => answers.push(payload))
  for (const length of [0, 1, 1023, 1024, 1025, 8_000]) {
    await guest.publish(`mc/1/reg/q/${id}`, systemRandom(length))
  }
  expect((await enrollMember(fixture, newApplicant())).deviceId).toHaveLength(22)
  expect(answers).toEqual([])
})

test("a registrar that the broker refuses reports it, and keeps its ledger whole", async () => {
  const fixture = await startFixture()
  const invitation = await fixture.invite("alice")
  const stranger = await makeAuthority()
  expect(await faultOf(fixture.reopen({ keys: stranger }))).toMatchObject({ code: "refused" })
  await fixture.reopen()
  const credential = await enroll(newApplicant(), {
    publisher: fixture.openTransport(),
    invitation,
    deviceName: "laptop",
  })
  expect(credential.deviceId).toHaveLength(22)
})

test("of two devices that race for one invitation exactly one is admitted [R-3]", async () => {
  const fixture = await startFixture()
  const invitation = await fixture.invite("alice")
  const racing = Array.from({ length: 6 }, (_, n) =>
    enroll(newApplicant(), { publisher: fixture.openTransport(), invitation, deviceName: `laptop ${n}` }),
  )
  const ended = await Promise.allSettled(racing)
  expect(ended.filter(({ status }) => status === "fulfilled")).toHaveLength(1)
  for (const end of ended) {
    if (end.status === "rejected")
      expect(end.reason).toMatchObject({ message: "this invitation was used already" })
  }
  expect(fixture.admitted).toHaveLength(1)
})
