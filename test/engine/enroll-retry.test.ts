import { expect, test } from "vitest"
import type { Ports } from "../../src/engine/state/ports.ts"
import { Fault } from "../../src/errors.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import { EngineFixture } from "./engine-fixture.ts"

const RETRY_MS = 30_000
const BROKER = { address: { host: "broker.example", port: 8883 }, trust: { kind: "name" } } as const

/** Somebody with an invitation whose registrar answers as `enroll` says. */
async function invited(enroll: (time: number) => ReturnType<Ports["enroll"]>) {
  const fixture = new EngineFixture()
  let credential: StoredCredential = { kind: "invitation", bytes: new Uint8Array(100) }
  const times: number[] = []
  const alice = await fixture.profile("alice", {
    enroll: () => enroll(times.push(fixture.clock.now())),
    config: {
      broker: () => BROKER,
      credential: () => credential,
      saveBroker: () => Promise.resolve(),
      saveCredential: (saved) => {
        credential = saved
        return Promise.resolve()
      },
      saveHints: () => Promise.resolve(),
    },
  })
  const link = async () => (await alice.client.call("status", {})).link.kind
  return { fixture, alice, times, link }
}

const away = () => Promise.reject(new Fault("unavailable", "the registrar does not answer"))

test("a registrar that is away is asked again every half minute, until it answers", async () => {
  const device = { kind: "device", deviceId: "A".repeat(22), certificate: "", key: "" } as const
  const { fixture, times, link } = await invited((time) => (time < 3 ? away() : Promise.resolve(device)))
  expect(await link()).toBe("offline")
  await fixture.clock.pass(3 * RETRY_MS)
  expect(await link()).toBe("online")
  expect(times.map((at) => at - (times[0] ?? 0))).toEqual([0, RETRY_MS, 2 * RETRY_MS])
})

test("a registrar that refuses is not asked again", async () => {
  const { fixture, times, link } = await invited(() => Promise.reject(new Fault("refused", "no")))
  await fixture.clock.pass(10 * RETRY_MS)
  expect(await link()).toBe("stopped")
  expect(times).toHaveLength(1)
})

test("a profile that is closed asks no more", async () => {
  const { fixture, alice, times } = await invited(away)
  await alice.stop()
  await fixture.clock.pass(10 * RETRY_MS)
  expect(times).toHaveLength(1)
})
