import { X509Certificate as PeculiarCertificate, X509Crl } from "@peculiar/x509"
import { afterEach, expect, test } from "vitest"
import { Fault } from "../../src/errors.ts"
import { invitePerson, revoke } from "../../src/registrar/members.ts"
import {
  type Applicant,
  enroll,
  type Enrolled,
  renew,
  requestDevice,
  requestInvitation,
} from "../../src/transport/enroll.ts"
import { faultOf } from "../transport/post.ts"
import { newApplicant, newTown, type Town } from "./world.ts"

const HOUR = 3600 * 1000

let town: Town | undefined

async function given(): Promise<Town> {
  town = await newTown()
  return town
}

async function admitted(here: Town, alice: Applicant): Promise<Enrolled> {
  const invitation = await here.invite("alice")
  return enroll(alice, { line: here.dial(), invitation, deviceName: "laptop" })
}

afterEach(async () => {
  await town?.end()
  town = undefined
})

test("a revoked device may ask for nothing more, and its invitations lapse [R-11]", async () => {
  const here = await given()
  const { registrar } = here
  const alice = newApplicant()
  const credential = await admitted(here, alice)
  const asking = {
    line: here.dial(credential),
    registrar: registrar.publicKey,
    deviceId: credential.deviceId,
  }
  const forMallory = await requestInvitation(alice, asking)
  expect(await revoke(registrar, { user: "alice", device: credential.deviceId.slice(0, 8) })).toEqual([
    credential.deviceId,
  ])
  await registrar.enforce()

  const renewal = { line: here.dial(), registrar: registrar.publicKey, credential, guest: true }
  const { deviceName, invitation } = { deviceName: "mallory", invitation: forMallory }
  for (const ask of [
    () => renew(alice, renewal),
    () => requestInvitation(alice, asking),
    () => requestDevice(alice, asking),
    () => enroll(newApplicant(), { line: here.dial(), invitation, deviceName }),
  ]) {
    expect(await faultOf(ask())).toMatchObject({ code: "refused" })
  }
  const { invitation: again } = await invitePerson(registrar, { name: "alice", again: true })
  const sameKeys = enroll(alice, { line: here.dial(), invitation: again, deviceName: "laptop" })
  expect((await faultOf(sameKeys)).message).toContain("shut out")
  const newKeys = await enroll(newApplicant(), {
    line: here.dial(),
    invitation: again,
    deviceName: "laptop 2",
  })
  expect(newKeys.userId).toBe(credential.userId)
})

test("a revoked user is out with all devices, and the name is free [R-11]", async () => {
  const here = await given()
  const { registrar } = here
  const invitation = await here.invite("alice")
  const first = await enroll(newApplicant(), { line: here.dial(), invitation, deviceName: "laptop" })
  const { invitation: more } = await invitePerson(registrar, { name: "alice", again: true })
  const second = await enroll(newApplicant(), { line: here.dial(), invitation: more, deviceName: "desktop" })
  const { invitation: unused } = await invitePerson(registrar, { name: "alice", again: true })
  expect(await revoke(registrar, { user: "alice", device: null })).toEqual([first.deviceId, second.deviceId])
  await registrar.enforce()
  expect(here.orders.expelled).toEqual([first.deviceId, second.deviceId])
  const late = enroll(newApplicant(), { line: here.dial(), invitation: unused, deviceName: "late" })
  expect((await faultOf(late)).message).toContain("shut out")
  expect(await here.invite("alice")).toHaveLength(72)
})

test("the list holds all certificates that revoked devices ever had, signed by the authority [R-11]", async () => {
  const here = await given()
  const { registrar, orders, world } = here
  const alice = newApplicant()
  const credential = await admitted(here, alice)
  const renewal = { line: here.dial(), registrar: registrar.publicKey, credential, guest: true }
  here.setClock(Date.now() + 2 * HOUR)
  const renewed = await renew(alice, renewal)
  const invitation = await here.invite("bob")
  const bob = await enroll(newApplicant(), { line: here.dial(), invitation, deviceName: "laptop" })
  await revoke(registrar, { user: "alice", device: null })
  await registrar.enforce()

  expect(orders.lists).toHaveLength(2)
  const [, pem = ""] = orders.lists
  expect(pem).toMatch(/^-----BEGIN X509 CRL-----\n/)
  const list = new X509Crl(pem.replaceAll("X509 CRL", "CRL"))
  const { publicKey } = new PeculiarCertificate(world.authority.caCertificate)
  expect(await list.verify({ publicKey })).toBe(true)
  expect(list.entries.map(({ serialNumber }) => serialNumber)).toEqual(
    [credential, renewed].map(({ certificate }) => new PeculiarCertificate(certificate).serialNumber),
  )
  expect(list.findRevoked(new PeculiarCertificate(bob.certificate))).toBeNull()
})

test("what a broker could not be told is told when the registrar starts again [R-11]", async () => {
  const here = await given()
  const credential = await admitted(here, newApplicant())
  const broken = await here.reopen({
    bouncer: () => ({
      publishCrl: () => Promise.resolve(),
      expel: () => Promise.reject(new Fault("unavailable", "the broker does not answer")),
    }),
  })
  await revoke(broken, { user: "alice", device: null })
  expect(await faultOf(broken.enforce())).toMatchObject({ code: "unavailable" })
  await here.reopen()
  expect(here.orders.expelled).toEqual([credential.deviceId])
  await here.reopen()
  expect(here.orders.expelled).toEqual([credential.deviceId])
})

test("a list that cannot be written keeps no device in, and is written by the next run [R-11]", async () => {
  const here = await given()
  const credential = await admitted(here, newApplicant())
  const expelled: string[] = []
  let isFull = false
  const registrar = await here.reopen({
    bouncer: () => ({
      publishCrl: () => (isFull ? Promise.reject(new Fault("disk-full", "there is no room")) : Promise.resolve()),
      expel: (device) => Promise.resolve(void expelled.push(device)),
    }),
  })
  await revoke(registrar, { user: "alice", device: null })
  isFull = true
  expect(await faultOf(registrar.enforce())).toMatchObject({ code: "disk-full" })
  expect(expelled).toEqual([credential.deviceId])
  await here.reopen()
  expect(here.orders.expelled).toEqual([credential.deviceId])
})
