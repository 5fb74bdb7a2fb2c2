import { expect, test } from "vitest"
import type { Ports } from "../../src/engine/state/ports.ts"
import { Fault } from "../../src/errors.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import { EngineFixture } from "./engine-fixture.ts"

const RETRY_MS = 30_000
const BROKER = { address: { host: "broker.example", port: 8883 }, trust: { kind: "name" } } as const

/** Somebody with an invitation whose registrar answers as `enroll` says. */
async function invited(
  enroll: (time: number) => ReturnType<Ports["enroll"]>,
  saving: () => Promise<void> = () => Promise.resolve(),
) {
  const fixture = new EngineFixture()
  let credential: StoredCredential = { kind: "invitation", bytes: new Uint8Array(100) }
  const times: number[] = []
  const waiting = new Set<number>()
  let connected = 0
  const alice = await fixture.profile("alice", {
    connect: (target, events) => {
      if (target.credential.kind !== "guest") connected++
      return fixture.broker.connect(target, events)
    },
    after: (ms, run) => {
      const cancel = fixture.clock.after(ms, () => {
        waiting.delete(ms)
        run()
      })
      waiting.add(ms)
      return () => {
        waiting.delete(ms)
        cancel()
      }
    },
    enroll: () => enroll(times.push(fixture.clock.now())),
    config: {
      broker: () => BROKER,
      credential: () => credential,
      saveBroker: () => Promise.resolve(),
      saveCredential: async (saved) => {
        await saving()
        credential = saved
      },
      saveHints: () => Promise.resolve(),
      reload: () => undefined,
    },
  })
  const link = async () => (await alice.client.call("status", {})).connection.kind
  return { fixture, alice, times, link, waiting, connected: () => connected }
}

const device = { kind: "device", deviceId: "A".repeat(22), certificate: "", key: "" } as const
const away = () => Promise.reject(new Fault("unavailable", "the registrar does not answer"))

test("a registrar that is away is asked again every half minute, until it answers", async () => {
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

test("a profile that is closed asks no more, and keeps no process waiting for the time to ask", async () => {
  const { fixture, alice, times, waiting } = await invited(away)
  expect(waiting).toContain(RETRY_MS)
  await alice.stop()
  expect(waiting).not.toContain(RETRY_MS)
  await fixture.clock.pass(10 * RETRY_MS)
  expect(times).toHaveLength(1)
})

test("a profile that is closed while its certificate is being saved does not connect with it", async () => {
  let save: () => void = () => undefined
  const saved = new Promise<void>((resolve) => (save = resolve))
  const { fixture, alice, connected } = await invited(
    () => Promise.resolve(device),
    () => saved,
  )
  // While `stop` waits: closing may wait for what is being saved.
  fixture.clock.after(1_000, save)
  await alice.stop()
  await fixture.clock.pass(RETRY_MS)
  expect(connected()).toBe(0)
})
