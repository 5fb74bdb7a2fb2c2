import { afterEach, expect, test } from "vitest"
import { listUsers } from "../../src/registrar/admin/lists.ts"
import { DEVICES_MAX, INVITATIONS_PER_HOUR } from "../../src/registrar/decide.ts"
import { enroll, requestDevice, requestInvitation } from "../../src/transport/enroll.ts"
import { faultOf } from "../transport/transport-fixture.ts"
import {
  enrollMember,
  newApplicant,
  newRegistrarFixture,
  type RegistrarFixture,
} from "./registrar-fixture.ts"

let started: RegistrarFixture | undefined

async function startFixture(...change: Parameters<typeof newRegistrarFixture>): Promise<RegistrarFixture> {
  started = await newRegistrarFixture(...change)
  return started
}

afterEach(async () => {
  await started?.end()
  started = undefined
})

test("if members may not invite, the operator still may [R-5]", async () => {
  const fixture = await startFixture({ membersMayInvite: false })
  const { publicKey: registrar } = fixture.registrar
  const owner = newApplicant()
  const invitation = (await fixture.inviteOperator())!
  const operator = await enroll(owner, { publisher: fixture.openTransport(), invitation, deviceName: "here" })
  expect(fixture.admitted).toEqual([{ deviceName: "here", operator: true }])
  const alice = newApplicant()
  const credential = await enrollMember(fixture, alice)

  const asked = requestInvitation(alice, {
    publisher: fixture.openTransport(credential),
    registrar,
    deviceId: credential.deviceId,
  })
  expect(await faultOf(asked)).toMatchObject({ message: "members of this broker may not invite others" })
  const publisher = fixture.openTransport(operator)
  expect(await requestInvitation(owner, { publisher, registrar, deviceId: operator.deviceId })).toHaveLength(
    72,
  )
})

test("a member has twenty invitations an hour, also across a restart of the registrar [R-5]", async () => {
  const fixture = await startFixture()
  const alice = newApplicant()
  const credential = await enrollMember(fixture, alice)
  const request = {
    publisher: fixture.openTransport(credential),
    registrar: fixture.registrar.publicKey,
    deviceId: credential.deviceId,
  }
  for (let n = 1; n <= INVITATIONS_PER_HOUR; n += 1) await requestInvitation(alice, request)
  expect((await faultOf(requestInvitation(alice, request))).message).toContain("too many")
  await fixture.reopen()
  expect((await faultOf(requestInvitation(alice, request))).message).toContain("too many")
  fixture.setClock(Date.now() + 3600 * 1000 + 1000)
  expect(await requestInvitation(alice, request)).toHaveLength(72)
})

test("a member adds their own devices, even if members may not invite, up to eight [R-10]", async () => {
  const fixture = await startFixture({ membersMayInvite: false })
  const { registrar } = fixture
  const alice = newApplicant()
  const credential = await enrollMember(fixture, alice)
  const asking = {
    publisher: fixture.openTransport(credential),
    registrar: registrar.publicKey,
    deviceId: credential.deviceId,
  }
  const own = new Set([credential.userId])
  for (let n = 2; n <= DEVICES_MAX; n += 1) {
    const invitation = await requestDevice(alice, asking)
    own.add(
      (
        await enroll(newApplicant(), {
          publisher: fixture.openTransport(),
          invitation,
          deviceName: `laptop ${n}`,
        })
      ).userId,
    )
  }
  expect(own.size).toBe(1)
  expect((await faultOf(requestDevice(alice, asking))).message).toContain("too many")
  expect(listUsers(registrar.ledger.state)).toMatchObject([{ devices: DEVICES_MAX }])
})

test("a guest of a member, who names themselves, is taken for no other user, command or device", async () => {
  const fixture = await startFixture()
  const alice = newApplicant()
  const credential = await enrollMember(fixture, alice)
  const { publicKey: registrar } = fixture.registrar
  const named = async (deviceName: string): Promise<string | undefined> => {
    const asking = { publisher: fixture.openTransport(credential), registrar, deviceId: credential.deviceId }
    const invitation = await requestInvitation(alice, asking)
    await enroll(newApplicant(), { publisher: fixture.openTransport(), invitation, deviceName })
    return listUsers(fixture.registrar.ledger.state).at(-1)?.name
  }
  expect(await named("bob")).toBe("bob")
  expect(await named("b\u043eb")).toBe("b\u043eb-2")
  expect(await named("bob/AAAA")).toBe("bob-AAAA-2")
  expect(await named("0perator")).toBe("0perator-2")
  expect(await named("me")).toBe("me-2")
  expect(await named("\u3164")).toBe("nobody")
})
