import { afterEach, expect, test } from "vitest"
import { toBase64url } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { DEVICE_DAYS } from "../../src/registrar/authority.ts"
import { INVITATION_DAYS } from "../../src/registrar/admission.ts"
import { revoke } from "../../src/registrar/members.ts"
import { makeDeviceKey } from "../../src/transport/device-key.ts"
import { type Applicant, enroll, type Enrolled, renew } from "../../src/transport/enroll.ts"
import { decodeInvitation } from "../../src/wire/registration.ts"
import { sealRequest } from "../../src/wire/registration-box.ts"
import { faultOf } from "../transport/post.ts"
import { newApplicant, newTown, type Town } from "./world.ts"

const HOUR = 3600 * 1000
const DAY = 24 * HOUR

let town: Town | undefined

afterEach(async () => {
  await town?.end()
  town = undefined
})

/** Lets somebody in whose certificate runs out at `until`, which the broker judges by its own clock. */
async function memberUntil(here: Town, applicant: Applicant, name: string, until: number): Promise<Enrolled> {
  here.setClock(until - DEVICE_DAYS * DAY)
  const invitation = await here.invite(name)
  return enroll(applicant, { line: here.dial(), invitation, deviceName: "laptop" })
}

/** A join that is sent once; the answer is for whoever still listens when it comes. */
async function knock(here: Town, invitation: Uint8Array) {
  const { user, secret, registrar } = decodeInvitation(invitation)!
  const { identity } = newApplicant()
  const { csr } = makeDeviceKey()
  const request = { kind: "join", user, secret, sign: identity.public.sign, deviceName: "new", csr } as const
  const topicId = systemRandom(16)
  const sealed = sealRequest(request, { registrar, topicId }, identity.signSecret, systemRandom)!
  const guest = here.dial()
  let hear: (payload: Uint8Array) => void = () => undefined
  const answered = new Promise<Uint8Array>((resolve) => (hear = resolve))
  await guest.listen(`mc/1/reg/a/${toBase64url(topicId)}`, (payload) => hear(payload))
  await guest.publish(`mc/1/reg/q/${toBase64url(topicId)}`, sealed.payload)
  return { answer: answered.then((payload) => sealed.openAnswer(payload)) }
}

test("a registrar that was down for a day: who is in stays in, and what was asked is answered", async () => {
  const here = (town = await newTown())
  const now = Date.now()
  const yesterday = now - DAY
  const [alice, carol] = [newApplicant(), newApplicant()]
  const inTime = await memberUntil(here, alice, "alice", now + HOUR)
  const tooLate = await memberUntil(here, carol, "carol", yesterday + 12 * HOUR)
  const mallory = await memberUntil(here, newApplicant(), "mallory", now + HOUR)
  here.setClock(yesterday + 12 * HOUR - INVITATION_DAYS * DAY)
  const ranOut = await here.invite("erin")
  here.setClock(yesterday)
  const forBob = await here.invite("bob")
  const { publicKey: registrar, ledger } = here.registrar
  await here.registrar.close()

  const atAlice = here.dial(inTime)
  await atAlice.state("online")
  expect((await here.dial(tooLate).state("stopped")).why.code).toBe("refused")
  const [bob, erin] = [await knock(here, forBob), await knock(here, ranOut)]
  await revoke({ ledger, now: () => yesterday + HOUR }, { user: "mallory", device: null })

  here.setClock(now)
  await here.reopen()
  expect((await bob.answer)?.kind).toBe("admitted")
  expect(await erin.answer).toEqual({ kind: "refused", why: "expired-invitation" })
  expect(here.orders.expelled).toEqual([mallory.deviceId])
  const renewed = await renew(alice, { line: atAlice, registrar, credential: inTime, guest: false })
  const back = await renew(carol, { line: here.dial(), registrar, credential: tooLate, guest: true })
  expect([renewed.deviceId, back.deviceId]).toEqual([inTime.deviceId, tooLate.deviceId])
  for (const credential of [renewed, back]) await here.dial(credential).state("online")
  const late = enroll(newApplicant(), { line: here.dial(), invitation: ranOut, deviceName: "late" })
  expect((await faultOf(late)).message).toContain("expired")
})
