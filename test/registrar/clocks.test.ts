import { X509Certificate } from "node:crypto"
import { afterEach, beforeEach, expect, test } from "vitest"
import { INVITATIONS_PER_HOUR } from "../../src/registrar/decide.ts"
import { DAY_MS } from "../../src/time-units.ts"
import { renew, requestInvitation } from "../../src/transport/enroll.ts"
import { faultOf } from "../transport/transport-fixture.ts"
import {
  enrollMember,
  newApplicant,
  newRegistrarFixture,
  type RegistrarFixture,
} from "./registrar-fixture.ts"

const AHEAD_MS = 400 * DAY_MS
let fixture: RegistrarFixture

beforeEach(async () => {
  fixture = await newRegistrarFixture()
})
afterEach(() => fixture.end())

/** A member, and what it asks over its own connection. */
async function aMember() {
  const alice = newApplicant()
  const credential = await enrollMember(fixture, alice)
  const { publicKey: registrar } = fixture.registrar
  const asked = { publisher: fixture.openTransport(credential), registrar }
  return {
    invite: () => requestInvitation(alice, { ...asked, deviceId: credential.deviceId }),
    renew: () => renew(alice, { ...asked, credential, guest: false }),
  }
}

test("a certificate from a time when the registrar's clock was ahead is replaced at the next request [R-6]", async () => {
  const { renew: renewed } = await aMember()
  fixture.setClock(Date.now() + AHEAD_MS)
  const early = new X509Certificate((await renewed()).certificate)
  expect(Date.parse(early.validFrom)).toBeGreaterThan(Date.now() + 390 * DAY_MS)
  fixture.setClock(Date.now())
  const right = new X509Certificate((await renewed()).certificate)
  expect(Date.parse(right.validFrom)).toBeLessThanOrEqual(Date.now())
  expect(Date.parse(right.validTo)).toBeGreaterThan(Date.now() + 80 * DAY_MS)
})

test("invitations of a time when the clock was ahead do not count until it is there again [R-5]", async () => {
  const { invite } = await aMember()
  fixture.setClock(Date.now() + AHEAD_MS)
  for (let n = 0; n < INVITATIONS_PER_HOUR; n += 1) await invite()
  expect((await faultOf(invite())).message).toContain("too many")
  fixture.setClock(Date.now())
  expect(await invite()).toHaveLength(72)
})
