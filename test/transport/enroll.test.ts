import { afterEach, beforeEach, expect, test } from "vitest"
import { boxKeyPair } from "../../src/crypto/nacl.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { fromBase64url } from "../../src/crypto/bytes.ts"
import { Fault } from "../../src/errors.ts"
import { openAuthority } from "../../src/registrar/authority.ts"
import { makeDeviceKey } from "../../src/transport/device-key.ts"
import { enroll, requestInvitation } from "../../src/transport/enroll.ts"
import type { Publisher } from "../../src/transport/transport.ts"
import { encodeInvitation, type RegistrationAnswer } from "../../src/wire/registration.ts"
import { openRequest } from "../../src/wire/registration-box.ts"
import { newId, newBrokerFixture, type BrokerFixture } from "../broker/broker-fixture.ts"
import { readCsr } from "../../src/registrar/authority.ts"
import { newApplicant } from "../registrar/registrar-fixture.ts"
import { faultOf } from "./transport-fixture.ts"

let fixture: BrokerFixture
beforeEach(async () => {
  fixture = await newBrokerFixture()
})
afterEach(() => fixture.end())

const registrar = boxKeyPair(systemRandom)
const INVITATION = encodeInvitation({
  user: systemRandom(16),
  secret: systemRandom(16),
  registrar: registrar.publicKey,
  expiresAt: 4_000_000_000,
})

/** A clock on which every wait ends at once. */
function hurried() {
  const after = (_ms: number, run: () => void) => {
    const timer = setImmediate(run)
    return () => clearImmediate(timer)
  }
  return { ...newApplicant(), after }
}

/** A registrar behind a scripted broker: the requests it receives, and its answers. */
function publisherWith(
  answers: (payload: Uint8Array, topicId: Uint8Array) => Promise<Uint8Array[]> | Uint8Array[],
) {
  const published: Uint8Array[] = []
  const topics = new Map<string, (payload: Uint8Array) => void>()
  const publisher: Publisher = {
    publish: async (topic, payload) => {
      published.push(payload)
      const id = topic.split("/").at(-1) ?? ""
      const replies = await answers(payload, fromBase64url(id) ?? new Uint8Array())
      for (const reply of replies) topics.get(`mc/1/reg/a/${id}`)?.(reply)
    },
    listen: (topic, onFrame) => {
      topics.set(topic, onFrame)
      return Promise.resolve(() => topics.delete(topic))
    },
  }
  return { publisher, published, topics }
}

function answering(answer: (csr: Uint8Array) => Promise<RegistrationAnswer> | RegistrationAnswer) {
  return publisherWith(async (payload, topicId) => {
    const opened = openRequest(payload, { registrar: registrar.publicKey, topicId }, registrar.secretKey)
    const csr = opened !== undefined && "csr" in opened.request ? opened.request.csr : new Uint8Array()
    return opened === undefined
      ? []
      : [opened.sealAnswer({ answer: await answer(csr), ledger: undefined }, systemRandom)]
  })
}

async function certificateFor(name: string, csr: Uint8Array): Promise<RegistrationAnswer> {
  const authority = await openAuthority(fixture.authority, systemRandom)
  const spki = (await readCsr(csr))!
  const certificate = await authority.issue(name, spki, Date.now(), Date.now() + 1_000_000)
  return { kind: "admitted", user: new Uint8Array(16), certificate }
}

const join = (publisher: Publisher) =>
  enroll(hurried(), { publisher, invitation: INVITATION, deviceName: "laptop" })

test("a registrar that is down is asked ten times with the same bytes, then that is reported [R-2]", async () => {
  const { publisher, published, topics } = publisherWith(() => [])
  expect((await faultOf(join(publisher))).code).toBe("unavailable")
  expect(published).toHaveLength(10)
  for (const payload of published) expect(payload).toEqual(published[0])
  expect(topics.size).toBe(0)
})

test("answers that do not open are ignored, and the one that does counts [R-2]", async () => {
  let noise = 5
  const { publisher } = publisherWith(async (payload, topicId) => {
    noise -= 1
    if (noise > 0) return [systemRandom(1024), payload, new Uint8Array()]
    const opened = openRequest(payload, { registrar: registrar.publicKey, topicId }, registrar.secretKey)!
    const csr = "csr" in opened.request ? opened.request.csr : new Uint8Array()
    const answer = await certificateFor("A".repeat(22), csr)
    return [opened.sealAnswer({ answer, ledger: undefined }, systemRandom)]
  })
  expect((await join(publisher)).deviceId).toBe("A".repeat(22))
})

test("a certificate for another key or for a name that is not a device, or none, is not accepted", async () => {
  const { csr: otherCsr } = makeDeviceKey()
  const wrong: ((csr: Uint8Array) => Promise<RegistrationAnswer> | RegistrationAnswer)[] = [
    () => certificateFor(newId(), otherCsr),
    (csr) => certificateFor("registrar", csr),
    () => ({ kind: "admitted", user: new Uint8Array(16), certificate: Buffer.from("nonsense") }),
    () => ({ kind: "invited", invitation: INVITATION }),
  ]
  for (const answer of wrong) expect((await faultOf(join(answering(answer).publisher))).code).toBe("protocol")
})

test("a refusal is reported in words, and a malformed invitation is not sent", async () => {
  const { publisher } = answering(() => ({ kind: "refused", why: "used-invitation" }))
  expect(await faultOf(join(publisher))).toMatchObject({
    code: "refused",
    message: "this invitation was used already",
  })
  const short = enroll(hurried(), { publisher, invitation: INVITATION.subarray(1), deviceName: "laptop" })
  expect((await faultOf(short)).code).toBe("bad-data")
})

test("a certificate in answer to a request for an invitation is not accepted", async () => {
  const { csr } = makeDeviceKey()
  const { publisher } = answering(() => certificateFor(newId(), csr))
  const asked = requestInvitation(hurried(), { publisher, registrar: registrar.publicKey, deviceId: newId() })
  expect((await faultOf(asked)).code).toBe("protocol")
})

test("a frame that the connection lost is sent again; one that the broker refuses is not", async () => {
  const faults = [
    new Fault("unavailable", "gone"),
    new Fault("unavailable", "gone"),
    new Fault("refused", "no"),
  ]
  let sent = 0
  const publisher: Publisher = {
    publish: () => {
      const fault = faults[sent]
      sent += 1
      return fault === undefined ? Promise.resolve() : Promise.reject(fault)
    },
    listen: () => Promise.resolve(() => undefined),
  }
  expect(await faultOf(join(publisher))).toBe(faults[2])
  expect(sent).toBe(3)
})

test("an invitation with an invalid registrar key is reported as damaged", async () => {
  const { publisher, published } = publisherWith(() => [])
  const invitation = INVITATION.slice()
  invitation.fill(0, 32, 64)
  const joined = enroll(hurried(), { publisher, invitation, deviceName: "laptop" })
  expect((await faultOf(joined)).code).toBe("bad-data")
  expect(published).toEqual([])
})
