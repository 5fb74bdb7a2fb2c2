import { afterEach, expect, test } from "vitest"
import { toBase64url } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { DEVICE_DAYS } from "../../src/registrar/authority.ts"
import { INVITATION_DAYS } from "../../src/registrar/decide.ts"
import { revoke } from "../../src/registrar/members.ts"
import { makeDeviceKey } from "../../src/transport/device-key.ts"
import { type Applicant, enroll, type Enrolled, renew } from "../../src/transport/enroll.ts"
import { decodeInvitation } from "../../src/wire/registration.ts"
import { sealRequest } from "../../src/wire/registration-box.ts"
import { faultOf } from "../transport/transport-fixture.ts"
import { newApplicant, newRegistrarFixture, type RegistrarFixture } from "./registrar-fixture.ts"

const HOUR = 3600 * 1000
const DAY = 24 * HOUR

let started: RegistrarFixture | undefined

afterEach(async () => {
  await started?.end()
  started = undefined
})

/** Admits a device whose certificate expires at `until`, which the broker judges by its own clock. */
async function memberUntil(
  fixture: RegistrarFixture,
  applicant: Applicant,
  name: string,
  until: number,
): Promise<Enrolled> {
  fixture.setClock(until - DEVICE_DAYS * DAY)
  const invitation = await fixture.invite(name)
  return enroll(applicant, { publisher: fixture.openTransport(), invitation, deviceName: "laptop" })
}

/** A join that is sent once; the client may be gone when the answer comes. */
async function sendJoin(fixture: RegistrarFixture, invitation: Uint8Array) {
  const { user, secret, registrar } = decodeInvitation(invitation)!
  const { identity } = newApplicant()
  const { csr } = makeDeviceKey()
  const request = {
    kind: "join",
    known: 0,
    user,
    secret,
    sign: identity.public.sign,
    deviceName: "new",
    csr,
  } as const
  const topicId = systemRandom(16)
  const sealed = sealRequest(request, { registrar, topicId }, identity.signSecret, systemRandom)!
  const guest = fixture.openTransport()
  let resolveAnswer: (payload: Uint8Array) => void = () => undefined
  const answered = new Promise<Uint8Array>((resolve) => (resolveAnswer = resolve))
  await guest.listen(`mc/1/reg/a/${toBase64url(topicId)}`, (payload) => resolveAnswer(payload))
  await guest.publish(`mc/1/reg/q/${toBase64url(topicId)}`, sealed.payload)
  return { answer: answered.then((payload) => sealed.openAnswer(payload)?.answer) }
}

test("a registrar that was down for a day: devices stay admitted, and pending requests are answered", async () => {
  const fixture = (started = await newRegistrarFixture())
  const now = Date.now()
  const yesterday = now - DAY
  const [alice, carol] = [newApplicant(), newApplicant()]
  const inTime = await memberUntil(fixture, alice, "alice", now + HOUR)
  const tooLate = await memberUntil(fixture, carol, "carol", yesterday + 12 * HOUR)
  const mallory = await memberUntil(fixture, newApplicant(), "mallory", now + HOUR)
  fixture.setClock(yesterday + 12 * HOUR - INVITATION_DAYS * DAY)
  const ranOut = await fixture.invite("erin")
  fixture.setClock(yesterday)
  const forBob = await fixture.invite("bob")
  const { publicKey: registrar, ledger } = fixture.registrar
  await fixture.registrar.close()

  const atAlice = fixture.openTransport(inTime)
  await atAlice.state("online")
  expect((await fixture.openTransport(tooLate).state("stopped")).why.code).toBe("refused")
  const [bob, erin] = [await sendJoin(fixture, forBob), await sendJoin(fixture, ranOut)]
  await revoke({ ledger, now: () => yesterday + HOUR }, { user: "mallory", device: null })

  fixture.setClock(now)
  await fixture.reopen()
  expect((await bob.answer)?.kind).toBe("admitted")
  expect(await erin.answer).toEqual({ kind: "refused", why: "expired-invitation" })
  expect(fixture.brokerActions.disconnected).toEqual([mallory.deviceId])
  const renewed = await renew(alice, { publisher: atAlice, registrar, credential: inTime, guest: false })
  const back = await renew(carol, {
    publisher: fixture.openTransport(),
    registrar,
    credential: tooLate,
    guest: true,
  })
  expect([renewed.deviceId, back.deviceId]).toEqual([inTime.deviceId, tooLate.deviceId])
  for (const credential of [renewed, back]) await fixture.openTransport(credential).state("online")
  const late = enroll(newApplicant(), {
    publisher: fixture.openTransport(),
    invitation: ranOut,
    deviceName: "late",
  })
  expect((await faultOf(late)).message).toContain("expired")
})
