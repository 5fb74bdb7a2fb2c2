import { afterEach, expect, test } from "vitest"
import { fromBase64url, toBase64url } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { Fault } from "../../src/errors.ts"
import { listDevices, listUsers, revoke } from "../../src/registrar/members.ts"
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
import { faultOf } from "../transport/post.ts"
import { newApplicant, newTown, type Town } from "./world.ts"

const MINUTE = 60_000
const DAY = 24 * 3600 * 1000

let town: Town | undefined

async function given(...change: Parameters<typeof newTown>): Promise<Town> {
  town = await newTown(...change)
  return town
}

afterEach(async () => {
  await town?.end()
  town = undefined
})

async function member(here: Town, alice: Applicant): Promise<Enrolled> {
  const invitation = await here.invite("alice")
  return enroll(alice, { line: here.dial(), invitation, deviceName: "old laptop" })
}

/** The same identity on another machine. */
function comeBack(here: Town, alice: Applicant, now = Date.now()): Promise<Enrolled> {
  const { publicKey: registrar } = here.registrar
  return restore(alice, { line: here.dial(), registrar, deviceName: "new laptop", now })
}

/** A request as Mallory, who has the broker, records it. */
function recorded(here: Town, alice: Applicant, askedAt: number) {
  const { publicKey: registrar } = here.registrar
  const topicId = systemRandom(16)
  const { csr } = makeDeviceKey()
  const sign = alice.identity.public.sign
  const request = { kind: "restore", sign, askedAt, deviceName: "held back", csr } as const
  const sealed = sealRequest(request, { registrar, topicId }, alice.identity.signSecret, systemRandom)!
  return { id: toBase64url(topicId), sealed }
}

async function deliver(here: Town, { id, sealed }: ReturnType<typeof recorded>) {
  const wire = here.dial()
  let hear: (payload: Uint8Array) => void = () => undefined
  const heard = new Promise<Uint8Array>((resolve) => (hear = resolve))
  await wire.listen(`mc/1/reg/a/${id}`, (payload) => hear(payload))
  await wire.publish(`mc/1/reg/q/${id}`, sealed.payload)
  return sealed.openAnswer(await heard)
}

function standing(here: Town): string[] {
  const rows = listDevices(here.registrar.ledger.roll).filter(({ revokedAt }) => revokedAt === null)
  return rows.map(({ device }) => device)
}

test("an identity comes back without an invitation: a new device of the same user, and the old one is out [R-14]", async () => {
  const here = await given()
  const alice = newApplicant()
  const old = await member(here, alice)
  const fresh = await comeBack(here, alice)
  expect(fresh.userId).toBe(old.userId)
  expect(fresh.deviceId).not.toBe(old.deviceId)
  expect(fromBase64url(fresh.deviceId)).toHaveLength(16)
  // It is out when the new one hears of it, not some time later.
  expect(here.orders.expelled).toEqual([old.deviceId])
  expect(here.orders.lists).toHaveLength(2)
  expect(listUsers(here.registrar.ledger.roll)).toMatchObject([{ name: "alice", devices: 1 }])
  expect(listDevices(here.registrar.ledger.roll)).toMatchObject([
    { device: old.deviceId, replacedBy: fresh.deviceId },
    { device: fresh.deviceId, deviceName: "new laptop", revokedAt: null, replacedBy: null },
  ])
  expect(here.admitted).toHaveLength(2)
  const own = here.dial(fresh)
  await own.transport.subscribe(`mc/1/i/${fresh.deviceId}/+`)
})

test("the old device hears since when it is replaced, whatever it asks, and after a restart [R-14]", async () => {
  const here = await given()
  const alice = newApplicant()
  const old = await member(here, alice)
  await comeBack(here, alice)
  await here.reopen()
  const { publicKey: registrar } = here.registrar
  const line = here.dial()
  const day = new Date().toISOString().slice(0, 10)
  const told = { code: "replaced", message: `this device was replaced on ${day} by another of yours` }
  const renewal = renew(alice, { line, registrar, credential: old, guest: true })
  expect(await faultOf(renewal)).toMatchObject(told)
  const asking = { line: here.dial(old), registrar, deviceId: old.deviceId }
  for (const ask of [requestInvitation, requestDevice]) {
    expect(await faultOf(ask(alice, asking))).toMatchObject(told)
  }
})

test("what the old device had asked for others stays good, and the new one goes on asking [R-14]", async () => {
  const here = await given()
  const alice = newApplicant()
  const old = await member(here, alice)
  const { publicKey: registrar } = here.registrar
  const invitation = await requestInvitation(alice, {
    line: here.dial(old),
    registrar,
    deviceId: old.deviceId,
  })
  const fresh = await comeBack(here, alice)
  await enroll(newApplicant(), { line: here.dial(), invitation, deviceName: "bob" })
  await requestInvitation(alice, { line: here.dial(fresh), registrar, deviceId: fresh.deviceId })
  expect(await renew(alice, { line: here.dial(), registrar, credential: fresh, guest: true })).toMatchObject({
    deviceId: fresh.deviceId,
  })
})

test("nobody comes back who was never here, or was shut out [R-14]", async () => {
  const here = await given()
  const [alice, bob] = [newApplicant(), newApplicant()]
  expect((await faultOf(comeBack(here, newApplicant()))).message).toContain("does not know this device")
  const { deviceId } = await member(here, alice)
  await revoke(here.registrar, { user: "alice", device: deviceId })
  expect((await faultOf(comeBack(here, alice))).message).toContain("shut out")
  const invitation = await here.invite("bob")
  await enroll(bob, { line: here.dial(), invitation, deviceName: "laptop" })
  await comeBack(here, bob)
  await revoke(here.registrar, { user: "bob", device: null })
  expect((await faultOf(comeBack(here, bob))).message).toContain("shut out")
  expect(standing(here)).toEqual([])
})

test("the same bytes again get the same certificate, and shut nobody out twice [R-14]", async () => {
  const here = await given()
  const alice = newApplicant()
  await member(here, alice)
  const request = recorded(here, alice, Date.now())
  const first = await deliver(here, request)
  expect(first?.kind).toBe("admitted")
  await here.reopen()
  expect(await deliver(here, request)).toEqual(first)
  expect(standing(here)).toHaveLength(1)
})

test("Mallory delivers a recorded request once more, after Alice has gone on from another machine: in vain [R-14]", async () => {
  const here = await given()
  const alice = newApplicant()
  await member(here, alice)
  const request = recorded(here, alice, Date.now())
  await deliver(here, request)
  const third = await comeBack(here, alice, Date.now() + MINUTE)
  await here.reopen()
  expect(await deliver(here, request)).toMatchObject({ kind: "replaced" })
  expect(standing(here)).toEqual([third.deviceId])
})

test("Mallory holds a request back and delivers it first when another was heard: in vain [R-14]", async () => {
  const here = await given()
  const alice = newApplicant()
  await member(here, alice)
  const heldBack = recorded(here, alice, Date.now())
  const heard = await comeBack(here, alice, Date.now() + 1)
  expect(await deliver(here, heldBack)).toEqual({ kind: "refused", why: "out-of-time" })
  expect(standing(here)).toEqual([heard.deviceId])
})

test("Mallory holds a request back for days, or has one that was dated ahead: in vain [R-14]", async () => {
  const here = await given()
  const alice = newApplicant()
  const old = await member(here, alice)
  for (const away of [-DAY - MINUTE, DAY + MINUTE]) {
    const request = recorded(here, alice, Date.now() + away)
    expect(await deliver(here, request)).toEqual({ kind: "refused", why: "out-of-time" })
  }
  expect(standing(here)).toEqual([old.deviceId])
})

test("a program that comes back all the time is stopped, until the next day [R-14]", async () => {
  const here = await given()
  const alice = newApplicant()
  await member(here, alice)
  const now = Date.now()
  for (let time = 1; time <= 8; time++) await comeBack(here, alice, now + time)
  expect((await faultOf(comeBack(here, alice, now + 9))).message).toContain("too many")
  here.setClock(now + DAY + MINUTE)
  await comeBack(here, alice, now + DAY + MINUTE)
})

test("a broker that cannot be told is told when the registrar starts again; the new device is in [R-14]", async () => {
  const troubles: string[] = []
  const here = await given({
    bouncer: () => ({
      publishCrl: () => Promise.resolve(),
      expel: () => Promise.reject(new Fault("unavailable", "the broker does not answer")),
    }),
    onTrouble: ({ message }) => void troubles.push(message),
  })
  const alice = newApplicant()
  const old = await member(here, alice)
  const fresh = await comeBack(here, alice)
  expect(troubles).toEqual(["the broker does not answer"])
  const expelled: string[] = []
  const bouncer = {
    publishCrl: () => Promise.resolve(),
    expel: (device: string) => Promise.resolve(void expelled.push(device)),
  }
  await here.reopen({ bouncer: () => bouncer })
  expect(expelled).toEqual([old.deviceId])
  expect(standing(here)).toEqual([fresh.deviceId])
})
