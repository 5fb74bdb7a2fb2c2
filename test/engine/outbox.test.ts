import { describe, expect, test } from "vitest"

import { Fault } from "../../src/errors.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

async function couple(): Promise<{ fixture: EngineFixture; alice: TestProfile; bob: TestProfile }> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await fixture.clock.pass(100)
  return { fixture, alice, bob }
}

test("texts written while the broker is down are stored, and sent in order when it is back", async () => {
  const { fixture, alice, bob } = await couple()
  fixture.broker.close()
  for (const text of ["one", "two", "three"]) await alice.send("bob", text)
  await fixture.clock.pass(MINUTE_MS)
  expect(await alice.states("bob")).toEqual(["queued", "queued", "queued"])
  expect(await alice.client.call("status", {})).toMatchObject({ queued: 3, connection: { kind: "offline" } })
  fixture.broker.reopen()
  await fixture.clock.pass(100)
  expect(await bob.texts("alice")).toEqual(["one", "two", "three"])
  expect(await alice.states("bob")).toEqual(["delivered", "delivered", "delivered"])
})

test("waiting for the broker ends with its acknowledgement, or with the given time", async () => {
  const { fixture, alice } = await couple()
  const answer = alice.client.call("send", { contact: "bob", text: "now", wait: "broker", timeoutMs: 1_000 })
  await fixture.clock.pass(10)
  expect(await answer).toMatchObject({ state: "broker" })
  fixture.broker.close()
  const late = alice.client.call("send", { contact: "bob", text: "later", wait: "broker", timeoutMs: 1_000 })
  await fixture.clock.pass(1_001)
  expect(await late).toMatchObject({ state: "queued" })
})

test("unacknowledged frames are repeated after 5 s, 30 s, 2 min, 10 min and then every hour, the same bytes each time", async () => {
  const { fixture, alice } = await couple()
  const times: number[] = []
  const payloads = new Set<string>()
  fixture.broker.tamper = (_topic, payload) => {
    times.push(fixture.clock.now())
    payloads.add(Buffer.from(payload).toString("hex"))
    return []
  }
  await alice.send("bob", "into the void")
  await fixture.clock.pass(3 * 60 * MINUTE_MS)
  const waits = times.map((at, n) => at - (times[n - 1] ?? at)).slice(1)
  expect(waits).toEqual([5_000, 30_000, 120_000, 600_000, 3_600_000, 3_600_000])
  expect(payloads.size).toBe(1)
})

test("after 30 days without a receipt a message is given up, and that is reported", async () => {
  const { fixture, alice } = await couple()
  fixture.broker.tamper = () => []
  const id = await alice.send("bob", "into the void")
  await fixture.clock.pass(DAY_MS)
  expect(await alice.states("bob")).toEqual(["broker"])
  await fixture.clock.pass(30 * DAY_MS)
  expect(await alice.states("bob")).toEqual(["given-up"])
  const givenUp = { kind: "receipt", contact: "bob", id, state: "given-up" }
  expect(alice.events).toContainEqual(expect.objectContaining(givenUp))
})

test("a broker that forgot our session gets all unacknowledged frames at once", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.stop()
  await alice.send("bob", "kept by the broker, then lost")
  await fixture.clock.pass(5 * MINUTE_MS)
  await alice.stop()
  fixture.broker.forgetAll()
  await bob.start()
  await alice.start()
  await fixture.clock.pass(100)
  expect(await bob.texts("alice")).toEqual(["kept by the broker, then lost"])
})

test("a broker that refuses everything is tried less and less often, and later resumes in order", async () => {
  const { fixture, alice, bob } = await couple()
  const tried: number[] = []
  fixture.broker.refuses = () => tried.push(fixture.clock.now()) > 0
  for (let n = 0; n < 40; n++) await alice.send("bob", `text ${n}`)
  await fixture.clock.pass(5 * MINUTE_MS)
  const times = [...new Set(tried)].map((at) => at - (tried[0] ?? 0))
  expect(times.slice(1, 8)).toEqual([1_000, 3_000, 7_000, 15_000, 31_000, 63_000, 123_000])
  expect(tried.length).toBeLessThanOrEqual(times.length * 16)
  fixture.broker.refuses = () => false
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toHaveLength(40)
})

describe("a process that dies", () => {
  test("before it published sends after the next start", async () => {
    const { fixture, alice, bob } = await couple()
    fixture.broker.close()
    await alice.send("bob", "written down")
    await alice.crash()
    fixture.broker.reopen()
    await alice.start()
    await fixture.clock.pass(100)
    expect(await bob.texts("alice")).toEqual(["written down"])
    expect(await alice.states("bob")).toEqual(["delivered"])
  })

  test("before it sent its receipt sends it after the next start", async () => {
    const { fixture, alice, bob } = await couple()
    await alice.send("bob", "did you get it?")
    await fixture.clock.pass(2)
    await bob.crash()
    await bob.start()
    await fixture.clock.pass(100)
    expect(await bob.texts("alice")).toEqual(["did you get it?"])
    expect(await alice.states("bob")).toEqual(["delivered"])
  })
})

test("a message is 1 to 65,276 bytes of UTF-8", async () => {
  const { fixture, alice, bob } = await couple()
  await expect(alice.send("bob", "")).rejects.toMatchObject({ code: "bad-data" })
  await expect(alice.send("bob", "ä".repeat(32_639))).rejects.toMatchObject({ code: "bad-data" })
  await alice.send("bob", "ä".repeat(32_638))
  await fixture.clock.pass(100)
  expect(await bob.texts("alice")).toEqual(["ä".repeat(32_638)])
})

test("[D-2] a commit that fails acknowledges nothing: the broker delivers the frame again", async () => {
  const { fixture, alice, bob } = await couple()
  const { store } = bob
  const commit = store.commit
  let full = true
  Object.assign(store, {
    commit: (writes: Parameters<typeof commit>[0]) =>
      full ? Promise.reject(new Fault("disk-full", "no space left")) : commit(writes),
  })
  await alice.send("bob", "make room for me")
  await fixture.clock.pass(100)
  expect(await bob.texts("alice")).toEqual([])
  await expect(bob.send("alice", "x")).rejects.toMatchObject({ code: "disk-full" })
  full = false
  fixture.broker.reopen()
  await fixture.clock.pass(10_000)
  expect(await bob.texts("alice")).toEqual(["make room for me"])
  await bob.send("alice", "there is room again")
  await fixture.clock.pass(100)
  expect(await alice.texts("bob")).toEqual(["there is room again"])
})

describe("the order of steps", () => {
  test("persist, then publish: nothing is sent while its commit is in progress", async () => {
    const { fixture, alice } = await couple()
    const slow = slowDisk(alice)
    const sent = fixture.broker.seen.length
    const first = alice.send("bob", "one")
    await fixture.clock.pass(10)
    // The outbox is checked repeatedly meanwhile.
    fixture.broker.close()
    fixture.broker.reopen()
    await fixture.clock.pass(2_000)
    expect(fixture.broker.seen.length).toBe(sent)
    slow.release()
    await first
    await fixture.clock.pass(2_000)
    expect(fixture.broker.seen.length).toBeGreaterThan(sent)
  })

  test("commit, then acknowledge: a frame whose commit is in progress comes again after a crash", async () => {
    const { fixture, alice, bob } = await couple()
    slowDisk(bob)
    await alice.send("bob", "one")
    await fixture.clock.pass(100)
    await bob.crash()
    await bob.start()
    await fixture.clock.pass(100)
    expect(await bob.texts("alice")).toEqual(["one"])
  })
})

/** Commits take as long as the test wants. */
function slowDisk(profile: TestProfile): { release: () => void } {
  const { store } = profile
  const { commit } = store
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => (release = resolve))
  Object.assign(store, {
    commit: async (writes: Parameters<typeof commit>[0]) => {
      await held
      return commit(writes)
    },
  })
  return { release }
}

test("texts taken from the inbox are not in it the next time", async () => {
  const { fixture, alice, bob } = await couple()
  await alice.send("bob", "one")
  await alice.send("bob", "two")
  await fixture.clock.pass(100)
  const texts = async (take: boolean) =>
    (await bob.client.call("inbox", { markRead: take })).map(({ text }) => text)
  expect(await texts(false)).toEqual(["one", "two"])
  expect((await bob.client.call("contacts", {}))[0]?.unread).toBe(2)
  expect(await texts(true)).toEqual(["one", "two"])
  expect(await texts(true)).toEqual([])
})

test("a long conversation goes through post-quantum steps from both sides", async () => {
  const { fixture, alice, bob } = await couple()
  for (let n = 0; n < 130; n++) {
    await (n % 2 === 0 ? alice.send("bob", `a${n}`) : bob.send("alice", `b${n}`))
    await fixture.clock.pass(20)
  }
  expect(await bob.texts("alice")).toHaveLength(65)
  expect(await alice.texts("bob")).toHaveLength(65)
  expect(fixture.broker.seen.filter(({ payload }) => payload.length === 2048).length).toBeGreaterThanOrEqual(
    4,
  )
  expect((await alice.client.call("status", {})).dropped).toBe(0)
  expect((await bob.client.call("status", {})).dropped).toBe(0)
})
