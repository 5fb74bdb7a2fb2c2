import { expect, test } from "vitest"
import type { Ports } from "../../src/engine/state/ports.ts"
import { Fault } from "../../src/errors.ts"
import type { StoredCredential } from "../../src/keystore/credential.ts"
import { EngineFixture } from "./engine-fixture.ts"

const MINUTE_MS = 60_000
/** In the longest pause there is time for the retry that follows each of twelve failures. */
const ALL_PAUSES_MS = 60 * MINUTE_MS
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

/** The n-th pause is between half and all of a second that doubles up to five minutes. */
function expectGrowing(times: readonly number[]): void {
  const pauses = times.slice(1).map((at, index) => at - (times[index] ?? 0))
  for (const [index, pause] of pauses.entries()) {
    const longest = Math.min(1_000 * 2 ** index, 5 * MINUTE_MS)
    expect(pause).toBeGreaterThanOrEqual(longest / 2)
    expect(pause).toBeLessThanOrEqual(longest)
  }
}

test("[D-170] a registrar that is away is asked ever more slowly, up to every five minutes, until it answers", async () => {
  const { fixture, times, link } = await invited((time) => (time < 13 ? away() : Promise.resolve(device)))
  expect(await link()).toBe("offline")
  await fixture.clock.pass(ALL_PAUSES_MS)
  expect(await link()).toBe("online")
  expect(times).toHaveLength(13)
  expectGrowing(times)
})

test("[D-170] what answers in the registrar's place ends nothing: a portal, a broker that is too busy, another clock", async () => {
  const passing = [
    new Fault("protocol", "shows a certificate that has expired"),
    new Fault("refused", "does not let us in", undefined, new Error("CONNACK 5")),
    new Fault("refused", "this machine's clock and that of the registrar differ", undefined, "out-of-time"),
  ]
  for (const why of passing) {
    const { fixture, link } = await invited((time) =>
      time < 2 ? Promise.reject(why) : Promise.resolve(device),
    )
    expect(await link()).toBe("stopped")
    await fixture.clock.pass(1_000)
    expect(await link()).toBe("online")
  }
})

test("a registrar that refuses is not asked again", async () => {
  const { fixture, times, link } = await invited(() => Promise.reject(new Fault("refused", "no")))
  await fixture.clock.pass(ALL_PAUSES_MS)
  expect(await link()).toBe("stopped")
  expect(times).toHaveLength(1)
})

test("a profile that is closed asks no more, and keeps no process waiting for the time to ask", async () => {
  const { fixture, alice, times, waiting } = await invited(away)
  // The next request, and the next check of the clock.
  expect(waiting.size).toBe(2)
  await alice.stop()
  expect(waiting.size).toBe(0)
  await fixture.clock.pass(ALL_PAUSES_MS)
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
  await fixture.clock.pass(MINUTE_MS)
  expect(connected()).toBe(0)
})
