import { describe, expect, test } from "vitest"

import { toHex } from "../../src/crypto/bytes.ts"
import { Fault } from "../../src/errors.ts"
import { BUCKETS } from "../../src/wire/padding.ts"
import { SEED } from "../faults/seed.ts"
import { seededRandom } from "../session/session-fixture.ts"
import { couple, lastMessageTo, type TestProfile, type EngineFixture } from "./engine-fixture.ts"
import { snapshotsIn } from "./loaded.ts"

/** Random choices here are the same in every run of one seed. */
const randomBytes = seededRandom(`hostile ${SEED}`)

function randomInt(below: number): number {
  return new DataView(randomBytes(4).buffer).getUint32(0) % below
}

const HOUR_MS = 3_600_000

const TEXTS = Array.from({ length: 12 }, (_, n) => `message ${n}`)

/** A text is refused while one handshake follows another, which damaged frames can cause. */
async function sendUntilAccepted(fixture: EngineFixture, send: () => Promise<string>): Promise<void> {
  for (;;) {
    try {
      await send()
      return
    } catch (cause) {
      if (!(cause instanceof Fault) || cause.code !== "unavailable") throw cause
      await fixture.clock.pass(1)
    }
  }
}

async function sendBothWays(fixture: EngineFixture, alice: TestProfile, bob: TestProfile): Promise<void> {
  for (const text of TEXTS) {
    await sendUntilAccepted(fixture, () => alice.send("bob", `from alice: ${text}`))
    await sendUntilAccepted(fixture, () => bob.send("alice", `from bob: ${text}`))
    if (randomInt(3) === 0) await fixture.clock.pass(7)
  }
}

async function expectAllOnce(alice: TestProfile, bob: TestProfile): Promise<void> {
  const sorted = (texts: string[]) => [...texts].sort()
  expect(sorted(await bob.texts("alice"))).toEqual(sorted(TEXTS.map((text) => `from alice: ${text}`)))
  expect(sorted(await alice.texts("bob"))).toEqual(sorted(TEXTS.map((text) => `from bob: ${text}`)))
  expect(new Set(await alice.states("bob"))).toEqual(new Set(["delivered"]))
  expect(new Set(await bob.states("alice"))).toEqual(new Set(["delivered"]))
}

async function dropped(profile: TestProfile): Promise<number> {
  return (await profile.client.call("status", {})).dropped
}

describe("with a hostile broker nothing is lost for good and nothing is shown twice", () => {
  test("it loses every second frame", async () => {
    const { fixture, alice, bob } = await couple()
    fixture.broker.tamper = (_topic, payload) => (randomInt(2) === 0 ? [] : [payload])
    await sendBothWays(fixture, alice, bob)
    await fixture.clock.pass(2 * HOUR_MS)
    fixture.broker.tamper = (_topic, payload) => [payload]
    await fixture.clock.pass(2 * HOUR_MS)
    await expectAllOnce(alice, bob)
  })

  test("it delivers every frame three times", async () => {
    const { fixture, alice, bob } = await couple()
    fixture.broker.tamper = (_topic, payload) => [payload, payload, payload]
    await sendBothWays(fixture, alice, bob)
    await fixture.clock.pass(1_000)
    await expectAllOnce(alice, bob)
    const messages = fixture.broker.seen.length
    await fixture.clock.pass(4_000)
    expect(fixture.broker.seen.length).toBe(messages)
  })

  test("it holds frames back and delivers them in another order", async () => {
    const { fixture, alice, bob } = await couple()
    const held: { topic: string; payload: Uint8Array }[] = []
    fixture.broker.tamper = (topic, payload) => {
      held.push({ topic, payload })
      return []
    }
    await sendBothWays(fixture, alice, bob)
    fixture.broker.tamper = (_topic, payload) => [payload]
    const shuffled = held.map((message) => ({ ...message, place: randomInt(2 ** 31) }))
    shuffled.sort((one, other) => one.place - other.place)
    for (const { topic, payload } of shuffled) fixture.broker.inject(topic, payload)
    await fixture.clock.pass(1_000)
    await expectAllOnce(alice, bob)
    await fixture.clock.pass(HOUR_MS)
    await expectAllOnce(alice, bob)
  })

  test("it changes one bit of every frame, for a while", async () => {
    const { fixture, alice, bob } = await couple()
    fixture.broker.tamper = (_topic, payload) => {
      const changed = Uint8Array.from(payload)
      const at = randomInt(changed.length)
      changed[at] = (changed[at] ?? 0) ^ (1 << randomInt(8))
      return [changed]
    }
    await sendBothWays(fixture, alice, bob)
    await fixture.clock.pass(10)
    expect(await bob.texts("alice")).toEqual([])
    expect(await alice.texts("bob")).toEqual([])
    expect(await dropped(bob)).toBeGreaterThanOrEqual(TEXTS.length)
    fixture.broker.tamper = (_topic, payload) => [payload]
    await fixture.clock.pass(HOUR_MS)
    await expectAllOnce(alice, bob)
  })

  test("it replays all it ever saw", async () => {
    const { fixture, alice, bob } = await couple()
    await sendBothWays(fixture, alice, bob)
    await fixture.clock.pass(1_000)
    for (const { topic, payload } of [...fixture.broker.seen]) fixture.broker.inject(topic, payload)
    await fixture.clock.pass(1_000)
    await expectAllOnce(alice, bob)
    expect(await alice.client.call("contacts", {})).toHaveLength(1)
    expect(await bob.client.call("contacts", {})).toHaveLength(1)
  })

  test("it puts Alice's frames to Bob into Carol's mailbox", async () => {
    const { fixture, alice, bob } = await couple()
    const carol = await fixture.profile("carol")
    await fixture.pair(carol, bob)
    const bobsMailboxes = new Set(fixture.broker.seen.map(({ topic }) => topic))
    await alice.send("bob", "for Bob from Alice")
    await fixture.clock.pass(50)
    const messages = [...fixture.broker.seen]
    const before = await dropped(bob)
    for (const topic of bobsMailboxes)
      for (const { payload } of messages) fixture.broker.inject(topic, payload)
    await fixture.clock.pass(1_000)
    expect(await bob.texts("alice")).toEqual(["for Bob from Alice"])
    expect(await bob.texts("carol")).toEqual([])
    expect(await dropped(bob)).toBeGreaterThan(before)
  })
})

test("Mallory's random bytes of any size are dropped and counted, and nothing changes", async () => {
  const { fixture, alice, bob } = await couple()
  const { topic } = lastMessageTo(fixture, bob)
  // Three possible frames in a row count as a lost state: see the next test.
  const sizes = [0, 1, 15, 16, 39, 40, 255, 257, 65_537, ...BUCKETS.slice(0, 2)]
  const snapshot = await snapshots(alice, bob)
  const before = (await dropped(alice)) + (await dropped(bob))
  for (const size of sizes) fixture.broker.inject(topic, randomBytes(size))
  await fixture.clock.pass(1_000)
  expect((await dropped(alice)) + (await dropped(bob))).toBe(before + sizes.length)
  expect(await snapshots(alice, bob)).toEqual(snapshot)
})

test("a flood of possible frames causes no recovery, and one that is repeated a single one; nothing else changes [D-30]", async () => {
  const { fixture, alice, bob } = await couple()
  await alice.send("bob", "before")
  await fixture.clock.pass(50)
  const { topic } = lastMessageTo(fixture, bob)
  for (let n = 0; n < 100; n++) {
    fixture.broker.inject(topic, randomBytes(256))
    await fixture.clock.pass(100)
  }
  expect(await bob.systemMessages("alice")).toEqual([])
  const frame = randomBytes(256)
  for (let n = 0; n < 10; n++) {
    fixture.broker.inject(topic, frame)
    await fixture.clock.pass(4_000)
  }
  expect(await bob.systemMessages("alice")).toEqual(["the connection with alice was renewed"])
  await alice.send("bob", "after")
  await bob.send("alice", "and back")
  await fixture.clock.pass(50)
  expect(await bob.texts("alice")).toEqual(["before", "after"])
  expect(await alice.texts("bob")).toEqual(["and back"])
})

test("of a flood of old frames 200 a second are examined, and a new one comes through all the same", async () => {
  const { fixture, alice, bob } = await couple()
  await alice.send("bob", "one")
  await fixture.clock.pass(50)
  const message = lastMessageTo(fixture, bob)
  let lookups = 0
  const { hasFrame } = bob.store
  Object.assign(bob.store, {
    hasFrame: (...about: Parameters<typeof hasFrame>) => {
      lookups++
      return hasFrame(...about)
    },
  })
  for (let n = 0; n < 1_000; n++) fixture.broker.inject(message.topic, message.payload)
  await alice.send("bob", "two")
  await fixture.clock.pass(100)
  expect(await bob.texts("alice")).toEqual(["one", "two"])
  expect(lookups).toBeGreaterThan(0)
  expect(lookups).toBeLessThanOrEqual(200 + 20)
  expect(await dropped(bob)).toBeGreaterThanOrEqual(1_000 - lookups)
})

async function snapshots(...profiles: TestProfile[]): Promise<string[]> {
  const sessions = await Promise.all(profiles.map(({ store }) => snapshotsIn(store)))
  return sessions.flatMap((all) => [...all.values()].map(toHex))
}

test("a frame for a mailbox of no contact is dropped unread [W-13]", async () => {
  const { fixture, bob } = await couple()
  const device = bob.deviceId
  const foreign = `mc/1/i/${device}/${Buffer.from(randomBytes(16)).toString("base64url")}`
  fixture.broker.session(device).topics.add(foreign)
  const before = await dropped(bob)
  fixture.broker.inject(foreign, randomBytes(256))
  await fixture.clock.pass(10)
  expect(await dropped(bob)).toBe(before + 1)
})

test("a blocked contact is ignored, gets no receipt, and can be unblocked", async () => {
  const { fixture, alice, bob } = await couple()
  await alice.send("bob", "before")
  await fixture.clock.pass(50)
  await bob.client.call("block", { contact: "alice", blocked: true })
  await alice.send("bob", "during")
  await fixture.clock.pass(50)
  expect(await bob.texts("alice")).toEqual(["before"])
  expect(await alice.states("bob")).toEqual(["delivered", "broker"])
  await expect(bob.send("alice", "hello?")).rejects.toMatchObject({ code: "refused" })
  await bob.client.call("block", { contact: "alice", blocked: false })
  await alice.send("bob", "after")
  await fixture.clock.pass(HOUR_MS)
  expect(await bob.texts("alice")).toEqual(["before", "after"])
  expect(new Set(await alice.states("bob"))).toEqual(new Set(["delivered"]))
})

test("a frame that a blocked contact sends past the broker's subscriptions is dropped", async () => {
  const { fixture, alice, bob } = await couple()
  await alice.send("bob", "kept")
  await fixture.clock.pass(50)
  await bob.client.call("block", { contact: "alice", blocked: true })
  const sent = fixture.broker.seen.length
  await alice.send("bob", "never shown")
  await fixture.clock.pass(5)
  const message = fixture.broker.seen[sent]
  if (message === undefined) throw new Error("nothing was sent")
  fixture.broker.session(bob.deviceId).topics.add(message.topic)
  const before = await dropped(bob)
  fixture.broker.inject(message.topic, message.payload)
  await fixture.clock.pass(50)
  expect(await bob.texts("alice")).toEqual(["kept"])
  expect(await dropped(bob)).toBe(before + 1)
})
