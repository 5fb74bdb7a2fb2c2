import { afterEach, expect, test } from "vitest"
import { fromBase64url, toBase64url } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { Fault } from "../../src/errors.ts"
import { listDevices, listUsers } from "../../src/registrar/admin/lists.ts"
import { revoke } from "../../src/registrar/members.ts"
import { makeDeviceKey } from "../../src/transport/device-key.ts"
import {
  type Applicant,
  enroll,
  type Enrolled,
  renew,
  requestDevice,
  requestInvitation,
  restore,
} from "../../src/transport/enroll.ts"
import { sealRequest } from "../../src/wire/registration-box.ts"
import { faultOf } from "../transport/transport-fixture.ts"
import { newApplicant, newRegistrarFixture, type RegistrarFixture } from "./registrar-fixture.ts"

const MINUTE = 60_000
const DAY = 24 * 3600 * 1000

let started: RegistrarFixture | undefined

async function startFixture(...change: Parameters<typeof newRegistrarFixture>): Promise<RegistrarFixture> {
  started = await newRegistrarFixture(...change)
  return started
}

afterEach(async () => {
  await started?.end()
  started = undefined
})

async function member(fixture: RegistrarFixture, alice: Applicant): Promise<Enrolled> {
  const invitation = await fixture.invite("alice")
  return enroll(alice, { publisher: fixture.openTransport(), invitation, deviceName: "old laptop" })
}

/** The same identity on another machine. */
function restoreOf(fixture: RegistrarFixture, alice: Applicant, now = Date.now()): Promise<Enrolled> {
  const { publicKey: registrar } = fixture.registrar
  return restore(alice, { publisher: fixture.openTransport(), registrar, deviceName: "new laptop", now })
}

/** A request as Mallory, who controls the broker, records it. */
function recorded(fixture: RegistrarFixture, alice: Applicant, askedAt: number) {
  const { publicKey: registrar } = fixture.registrar
  const topicId = systemRandom(16)
  const { csr } = makeDeviceKey()
  const sign = alice.identity.public.sign
  const request = { kind: "restore", known: 0, sign, askedAt, deviceName: "held back", csr } as const
  const sealed = sealRequest(request, { registrar, topicId }, alice.identity.signSecret, systemRandom)!
  return { id: toBase64url(topicId), sealed }
}

async function deliver(fixture: RegistrarFixture, { id, sealed }: ReturnType<typeof recorded>) {
  const client = fixture.openTransport()
  let resolveAnswer: (payload: Uint8Array) => void = () => undefined
  const answered = new Promise<Uint8Array>((resolve) => (resolveAnswer = resolve))
  await client.listen(`mc/1/reg/a/${id}`, (payload) => resolveAnswer(payload))
  await client.publish(`mc/1/reg/q/${id}`, sealed.payload)
  return sealed.openAnswer(await answered)?.answer
}

function activeDevices(fixture: RegistrarFixture): string[] {
  const rows = listDevices(fixture.registrar.ledger.state).filter(({ revokedAt }) => revokedAt === null)
  return rows.map(({ device }) => device)
}

test("an identity returns without an invitation: a new device of the same user, and the old one is revoked [R-14]", async () => {
  const fixture = await startFixture()
  const alice = newApplicant()
  const old = await member(fixture, alice)
  const fresh = await restoreOf(fixture, alice)
  expect(fresh.userId).toBe(old.userId)
  expect(fresh.deviceId).not.toBe(old.deviceId)
  expect(fromBase64url(fresh.deviceId)).toHaveLength(16)
  // It is revoked by the time the new one has its answer, not some time later.
  expect(fixture.brokerActions.disconnected).toEqual([old.deviceId])
  expect(fixture.brokerActions.crls).toHaveLength(2)
  expect(listUsers(fixture.registrar.ledger.state)).toMatchObject([{ name: "alice", devices: 1 }])
  expect(listDevices(fixture.registrar.ledger.state)).toMatchObject([
    { device: old.deviceId, replacedBy: fresh.deviceId },
    { device: fresh.deviceId, deviceName: "new laptop", revokedAt: null, replacedBy: null },
  ])
  expect(fixture.admitted).toHaveLength(2)
  const own = fixture.openTransport(fresh)
  await own.transport.subscribe(`mc/1/i/${fresh.deviceId}/+`)
})

test("the old device gets the time of its replacement for any request, and after a restart [R-14]", async () => {
  const fixture = await startFixture()
  const alice = newApplicant()
  const old = await member(fixture, alice)
  const now = Date.now()
  fixture.setClock(now)
  await restoreOf(fixture, alice)
  await fixture.reopen()
  const { publicKey: registrar } = fixture.registrar
  const publisher = fixture.openTransport()
  const day = new Date(now).toISOString().slice(0, 10)
  const replacedFault = {
    code: "replaced",
    message: `this device was replaced on ${day} by another of yours`,
  }
  const renewal = renew(alice, { publisher, registrar, credential: old, guest: true })
  expect(await faultOf(renewal)).toMatchObject(replacedFault)
  const asking = { publisher: fixture.openTransport(old), registrar, deviceId: old.deviceId }
  for (const ask of [requestInvitation, requestDevice]) {
    expect(await faultOf(ask(alice, asking))).toMatchObject(replacedFault)
  }
})

test("invitations made by the old device stay valid, and the new one can make more [R-14]", async () => {
  const fixture = await startFixture()
  const alice = newApplicant()
  const old = await member(fixture, alice)
  const { publicKey: registrar } = fixture.registrar
  const invitation = await requestInvitation(alice, {
    publisher: fixture.openTransport(old),
    registrar,
    deviceId: old.deviceId,
  })
  const fresh = await restoreOf(fixture, alice)
  await enroll(newApplicant(), { publisher: fixture.openTransport(), invitation, deviceName: "bob" })
  await requestInvitation(alice, {
    publisher: fixture.openTransport(fresh),
    registrar,
    deviceId: fresh.deviceId,
  })
  expect(
    await renew(alice, { publisher: fixture.openTransport(), registrar, credential: fresh, guest: true }),
  ).toMatchObject({
    deviceId: fresh.deviceId,
  })
})

test("an identity that was never admitted, or was revoked, is not restored [R-14]", async () => {
  const fixture = await startFixture()
  const [alice, bob] = [newApplicant(), newApplicant()]
  expect((await faultOf(restoreOf(fixture, newApplicant()))).message).toContain("does not know this device")
  const { deviceId } = await member(fixture, alice)
  await revoke(fixture.registrar, { user: "alice", device: deviceId })
  expect((await faultOf(restoreOf(fixture, alice))).message).toContain("shut out")
  const invitation = await fixture.invite("bob")
  await enroll(bob, { publisher: fixture.openTransport(), invitation, deviceName: "laptop" })
  await restoreOf(fixture, bob)
  await revoke(fixture.registrar, { user: "bob", device: null })
  expect((await faultOf(restoreOf(fixture, bob))).message).toContain("shut out")
  expect(activeDevices(fixture)).toEqual([])
})

test("the same bytes again get the same certificate, and revoke no device twice [R-14]", async () => {
  const fixture = await startFixture()
  const alice = newApplicant()
  await member(fixture, alice)
  const request = recorded(fixture, alice, Date.now())
  const first = await deliver(fixture, request)
  expect(first?.kind).toBe("admitted")
  await fixture.reopen()
  expect(await deliver(fixture, request)).toEqual(first)
  expect(activeDevices(fixture)).toHaveLength(1)
})

test("Mallory replays a recorded request after Alice has restored on another machine: in vain [R-14]", async () => {
  const fixture = await startFixture()
  const alice = newApplicant()
  await member(fixture, alice)
  const request = recorded(fixture, alice, Date.now())
  await deliver(fixture, request)
  const third = await restoreOf(fixture, alice, Date.now() + MINUTE)
  await fixture.reopen()
  expect(await deliver(fixture, request)).toMatchObject({ kind: "replaced" })
  expect(activeDevices(fixture)).toEqual([third.deviceId])
})

test("Mallory holds a request back and delivers it after a later one was processed: in vain [R-14]", async () => {
  const fixture = await startFixture()
  const alice = newApplicant()
  await member(fixture, alice)
  const heldBack = recorded(fixture, alice, Date.now())
  const answered = await restoreOf(fixture, alice, Date.now() + 1)
  expect(await deliver(fixture, heldBack)).toEqual({ kind: "refused", why: "out-of-time" })
  expect(activeDevices(fixture)).toEqual([answered.deviceId])
})

test("Mallory holds a request back for days, or has one dated in the future: in vain [R-14]", async () => {
  const fixture = await startFixture()
  const alice = newApplicant()
  const old = await member(fixture, alice)
  for (const away of [-DAY - MINUTE, DAY + MINUTE]) {
    const request = recorded(fixture, alice, Date.now() + away)
    expect(await deliver(fixture, request)).toEqual({ kind: "refused", why: "out-of-time" })
  }
  expect(activeDevices(fixture)).toEqual([old.deviceId])
})

test("a program that restores again and again is stopped until the next day [R-14]", async () => {
  const fixture = await startFixture()
  const alice = newApplicant()
  await member(fixture, alice)
  const now = Date.now()
  for (let time = 1; time <= 8; time++) await restoreOf(fixture, alice, now + time)
  expect((await faultOf(restoreOf(fixture, alice, now + 9))).message).toContain("too many")
  fixture.setClock(now + DAY + MINUTE)
  await restoreOf(fixture, alice, now + DAY + MINUTE)
})

test("a broker that cannot be notified is notified at the registrar's next start; the new device is admitted [R-14]", async () => {
  const troubles: string[] = []
  const fixture = await startFixture({
    brokerControl: () => ({
      publishCrl: () => Promise.resolve(),
      disconnect: () => Promise.reject(new Fault("unavailable", "the broker does not answer")),
    }),
    onTrouble: ({ message }) => void troubles.push(message),
  })
  const alice = newApplicant()
  const old = await member(fixture, alice)
  const fresh = await restoreOf(fixture, alice)
  expect(troubles).toEqual(["the broker does not answer"])
  const disconnected: string[] = []
  const brokerControl = {
    publishCrl: () => Promise.resolve(),
    disconnect: (device: string) => Promise.resolve(void disconnected.push(device)),
  }
  await fixture.reopen({ brokerControl: () => brokerControl })
  expect(disconnected).toEqual([old.deviceId])
  expect(activeDevices(fixture)).toEqual([fresh.deviceId])
})
