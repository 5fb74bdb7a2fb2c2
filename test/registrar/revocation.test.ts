import { X509Certificate as PeculiarCertificate, X509Crl } from "@peculiar/x509"
import { afterEach, expect, test } from "vitest"
import { Fault } from "../../src/errors.ts"
import { inviteUser, revoke } from "../../src/registrar/members.ts"
import {
  type Applicant,
  enroll,
  type Enrolled,
  renew,
  requestDevice,
  requestInvitation,
} from "../../src/transport/enroll.ts"
import { faultOf } from "../transport/transport-fixture.ts"
import { newApplicant, newRegistrarFixture, type RegistrarFixture } from "./registrar-fixture.ts"

const HOUR = 3600 * 1000

let started: RegistrarFixture | undefined

async function startFixture(): Promise<RegistrarFixture> {
  started = await newRegistrarFixture()
  return started
}

async function admitted(fixture: RegistrarFixture, alice: Applicant): Promise<Enrolled> {
  const invitation = await fixture.invite("alice")
  return enroll(alice, { publisher: fixture.openTransport(), invitation, deviceName: "laptop" })
}

afterEach(async () => {
  await started?.end()
  started = undefined
})

test("a revoked device's requests are refused, and its invitations lapse [R-11]", async () => {
  const fixture = await startFixture()
  const { registrar } = fixture
  const alice = newApplicant()
  const credential = await admitted(fixture, alice)
  const asking = {
    publisher: fixture.openTransport(credential),
    registrar: registrar.publicKey,
    deviceId: credential.deviceId,
  }
  const forMallory = await requestInvitation(alice, asking)
  expect(await revoke(registrar, { user: "alice", device: credential.deviceId.slice(0, 8) })).toEqual([
    credential.deviceId,
  ])
  await registrar.enforce()

  const renewal = {
    publisher: fixture.openTransport(),
    registrar: registrar.publicKey,
    credential,
    guest: true,
  }
  const { deviceName, invitation } = { deviceName: "mallory", invitation: forMallory }
  for (const ask of [
    () => renew(alice, renewal),
    () => requestInvitation(alice, asking),
    () => requestDevice(alice, asking),
    () => enroll(newApplicant(), { publisher: fixture.openTransport(), invitation, deviceName }),
  ]) {
    expect(await faultOf(ask())).toMatchObject({ code: "refused" })
  }
  const { invitation: again } = await inviteUser(registrar, { name: "alice", again: true })
  const sameKeys = enroll(alice, {
    publisher: fixture.openTransport(),
    invitation: again,
    deviceName: "laptop",
  })
  expect((await faultOf(sameKeys)).message).toContain("shut out")
  const newKeys = await enroll(newApplicant(), {
    publisher: fixture.openTransport(),
    invitation: again,
    deviceName: "laptop 2",
  })
  expect(newKeys.userId).toBe(credential.userId)
})

test("a revoked user loses all devices, and the name is free [R-11]", async () => {
  const fixture = await startFixture()
  const { registrar } = fixture
  const invitation = await fixture.invite("alice")
  const first = await enroll(newApplicant(), {
    publisher: fixture.openTransport(),
    invitation,
    deviceName: "laptop",
  })
  const { invitation: more } = await inviteUser(registrar, { name: "alice", again: true })
  const second = await enroll(newApplicant(), {
    publisher: fixture.openTransport(),
    invitation: more,
    deviceName: "desktop",
  })
  const { invitation: unused } = await inviteUser(registrar, { name: "alice", again: true })
  expect(await revoke(registrar, { user: "alice", device: null })).toEqual([first.deviceId, second.deviceId])
  await registrar.enforce()
  expect(fixture.brokerActions.disconnected).toEqual([first.deviceId, second.deviceId])
  const late = enroll(newApplicant(), {
    publisher: fixture.openTransport(),
    invitation: unused,
    deviceName: "late",
  })
  expect((await faultOf(late)).message).toContain("shut out")
  expect(await fixture.invite("alice")).toHaveLength(72)
})

test("the list holds all certificates that revoked devices ever had, signed by the authority [R-11]", async () => {
  const fixture = await startFixture()
  const { registrar, brokerActions, brokerFixture } = fixture
  const alice = newApplicant()
  const credential = await admitted(fixture, alice)
  const renewal = {
    publisher: fixture.openTransport(),
    registrar: registrar.publicKey,
    credential,
    guest: true,
  }
  fixture.setClock(Date.now() + 2 * HOUR)
  const renewed = await renew(alice, renewal)
  const invitation = await fixture.invite("bob")
  const bob = await enroll(newApplicant(), {
    publisher: fixture.openTransport(),
    invitation,
    deviceName: "laptop",
  })
  await revoke(registrar, { user: "alice", device: null })
  await registrar.enforce()

  expect(brokerActions.crls).toHaveLength(2)
  const [, pem = ""] = brokerActions.crls
  expect(pem).toMatch(/^-----BEGIN X509 CRL-----\n/)
  const list = new X509Crl(pem.replaceAll("X509 CRL", "CRL"))
  const { publicKey } = new PeculiarCertificate(brokerFixture.authority.caCertificate)
  expect(await list.verify({ publicKey })).toBe(true)
  expect(list.entries.map(({ serialNumber }) => serialNumber)).toEqual(
    [credential, renewed].map(({ certificate }) => new PeculiarCertificate(certificate).serialNumber),
  )
  expect(list.findRevoked(new PeculiarCertificate(bob.certificate))).toBeNull()
})

test("a broker that could not be notified is notified when the registrar starts again [R-11]", async () => {
  const fixture = await startFixture()
  const credential = await admitted(fixture, newApplicant())
  const broken = await fixture.reopen({
    brokerControl: () => ({
      publishCrl: () => Promise.resolve(),
      disconnect: () => Promise.reject(new Fault("unavailable", "the broker does not answer")),
    }),
  })
  await revoke(broken, { user: "alice", device: null })
  expect(await faultOf(broken.enforce())).toMatchObject({ code: "unavailable" })
  await fixture.reopen()
  expect(fixture.brokerActions.disconnected).toEqual([credential.deviceId])
  await fixture.reopen()
  expect(fixture.brokerActions.disconnected).toEqual([credential.deviceId])
})

test("a list that cannot be written stops no revocation, and is written by the next run [R-11]", async () => {
  const fixture = await startFixture()
  const credential = await admitted(fixture, newApplicant())
  const disconnected: string[] = []
  let isFull = false
  const registrar = await fixture.reopen({
    brokerControl: () => ({
      publishCrl: () =>
        isFull ? Promise.reject(new Fault("disk-full", "there is no room")) : Promise.resolve(),
      disconnect: (device) => Promise.resolve(void disconnected.push(device)),
    }),
  })
  await revoke(registrar, { user: "alice", device: null })
  isFull = true
  expect(await faultOf(registrar.enforce())).toMatchObject({ code: "disk-full" })
  expect(disconnected).toEqual([credential.deviceId])
  await fixture.reopen()
  expect(fixture.brokerActions.disconnected).toEqual([credential.deviceId])
})
