import { copyFileSync } from "node:fs"
import { expect, test } from "vitest"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

async function couple(): Promise<{ fixture: EngineFixture; alice: TestProfile; bob: TestProfile }> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await alice.send("bob", "hello")
  await fixture.clock.pass(50)
  await bob.send("alice", "hello yourself")
  await fixture.clock.pass(50)
  return { fixture, alice, bob }
}

/** Puts the disk back to that copy. */
async function rollBack(profile: TestProfile, to: string): Promise<void> {
  await profile.crash()
  copyFileSync(to, profile.path)
  await profile.start()
}

async function copyOf(profile: TestProfile): Promise<string> {
  const copy = `${profile.path}.copy`
  await profile.stop()
  copyFileSync(profile.path, copy)
  await profile.start()
  return copy
}

test("texts of a sender whose disk was put back to an older copy arrive again, and nothing is shown twice", async () => {
  const { fixture, alice, bob } = await couple()
  const copy = await copyOf(alice)
  for (const text of ["one", "two"]) {
    await alice.send("bob", text)
    await fixture.clock.pass(50)
    await bob.send("alice", `${text} heard`)
    await fixture.clock.pass(50)
  }
  await rollBack(alice, copy)
  await alice.send("bob", "three")
  await fixture.clock.pass(HOUR_MS)
  expect(await bob.texts("alice")).toEqual(["hello", "one", "two", "three"])
  expect(await bob.systemMessages("alice")).toEqual([
    "the connection with alice was renewed",
    "2 messages that alice's device had lost were sent again",
  ])
  expect(await alice.systemMessages("bob")).toEqual([
    "the connection with bob was renewed",
    "messages from bob that this device had lost come again",
  ])
  expect(await alice.states("bob")).toEqual(["delivered", "delivered"])
  await bob.send("alice", "welcome back")
  await fixture.clock.pass(50)
  expect((await alice.texts("bob")).at(-1)).toBe("welcome back")
})

test("a receiver whose disk was put back gets the lost texts again, and then all that follow", async () => {
  const { fixture, alice, bob } = await couple()
  const copy = await copyOf(bob)
  await alice.send("bob", "lost with the disk")
  await fixture.clock.pass(50)
  await bob.send("alice", "yes?")
  await fixture.clock.pass(50)
  await rollBack(bob, copy)
  for (const text of ["one", "two", "three"]) {
    await alice.send("bob", text)
    await fixture.clock.pass(50)
  }
  await fixture.clock.pass(HOUR_MS)
  expect((await bob.texts("alice")).filter((text) => text !== "hello")).toEqual([
    "lost with the disk",
    "one",
    "two",
    "three",
  ])
  expect(new Set(await alice.states("bob"))).toEqual(new Set(["delivered"]))
})

test("[W-51] texts sealed in the old session and not acknowledged are sent again and shown once, in order", async () => {
  const { fixture, alice, bob } = await couple()
  // Bob gets it all, and his receipts are lost.
  fixture.broker.tamper = (topic, payload) => (topic.includes(alice.deviceId) ? [] : [payload])
  for (const text of ["one", "two", "three"]) await alice.send("bob", text)
  await fixture.clock.pass(100)
  expect(await bob.texts("alice")).toEqual(["hello", "one", "two", "three"])
  expect(await alice.states("bob")).toEqual(["delivered", "broker", "broker", "broker"])
  fixture.broker.tamper = (_topic, payload) => [payload]
  await alice.client.call("reset", { contact: "bob" })
  await alice.send("bob", "four")
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["hello", "one", "two", "three", "four"])
  expect(new Set(await alice.states("bob"))).toEqual(new Set(["delivered"]))
  const history = await alice.client.call("history", { contact: "bob", limit: 100 })
  expect(history.filter(({ mine }) => mine).map(({ text }) => text)).toEqual([
    "hello",
    "one",
    "two",
    "three",
    "four",
  ])
})

test("a text that came again after a recovery is acknowledged until its sender has the receipt", async () => {
  const { fixture, alice, bob } = await couple()
  // Only receipts use the smallest bucket, so the handshake comes through.
  fixture.broker.tamper = (topic, payload) =>
    topic.includes(alice.deviceId) && payload.length === 256 ? [] : [payload]
  await alice.send("bob", "one")
  await fixture.clock.pass(50)
  await alice.client.call("reset", { contact: "bob" })
  await fixture.clock.pass(50)
  expect(await alice.states("bob")).toEqual(["delivered", "broker"])
  fixture.broker.tamper = (_topic, payload) => [payload]
  await fixture.clock.pass(HOUR_MS)
  expect(await alice.states("bob")).toEqual(["delivered", "delivered"])
  expect(await bob.texts("alice")).toEqual(["hello", "one"])
  expect(await bob.systemMessages("alice")).toEqual(["the connection with alice was renewed"])
})

test("both begin at once: one handshake counts, and both go on", async () => {
  const { fixture, alice, bob } = await couple()
  await Promise.all([
    alice.client.call("reset", { contact: "bob" }),
    bob.client.call("reset", { contact: "alice" }),
  ])
  await alice.send("bob", "from here")
  await bob.send("alice", "from there")
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["hello", "from here"])
  expect(await alice.texts("bob")).toEqual(["hello yourself", "from there"])
  const states = await Promise.all([alice, bob].map(({ client }) => client.call("contacts", {})))
  expect(states.flat().map(({ state }) => state)).toEqual(["established", "established"])
})

test("a disk that is put back to the same copy repeatedly recovers each time", async () => {
  const { fixture, alice, bob } = await couple()
  const copy = await copyOf(alice)
  for (const text of ["one", "two", "three"]) {
    await bob.send("alice", `before ${text}`)
    await fixture.clock.pass(50)
    await rollBack(alice, copy)
    await alice.client.call("reset", { contact: "bob" })
    await alice.send("bob", text)
    await fixture.clock.pass(MINUTE_MS)
  }
  expect(await bob.texts("alice")).toEqual(["hello", "one", "two", "three"])
})

test("[D-31] a recovery INIT that is repeated for ever begins the session only once", async () => {
  const { fixture, alice, bob } = await couple()
  const before = fixture.broker.seen.length
  await alice.client.call("reset", { contact: "bob" })
  await fixture.clock.pass(5)
  const inits = fixture.broker.seen.slice(before).filter(({ payload }) => payload.length === 4096)
  expect(inits.length).toBeGreaterThan(0)
  await alice.send("bob", "new")
  const dropped = async () => (await bob.client.call("status", {})).dropped
  for (const { topic, payload } of inits) fixture.broker.inject(topic, payload)
  await fixture.clock.pass(50)
  const droppedBefore = await dropped()
  for (const { topic, payload } of inits) fixture.broker.inject(topic, payload)
  await fixture.clock.pass(MINUTE_MS)
  // A frame that is known is no strange one.
  expect(await dropped()).toBe(droppedBefore)
  await bob.send("alice", "newer")
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["hello", "new"])
  expect(await alice.texts("bob")).toEqual(["hello yourself", "newer"])
  expect(await bob.systemMessages("alice")).toEqual(["the connection with alice was renewed"])
})

test("a blocked contact causes no recovery", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.client.call("block", { contact: "alice", blocked: true })
  const answers = () => fixture.broker.seen.filter(({ topic }) => topic.includes(alice.deviceId)).length
  const before = answers()
  await alice.client.call("reset", { contact: "bob" })
  await fixture.clock.pass(HOUR_MS)
  expect(await bob.systemMessages("alice")).toEqual([])
  expect(await alice.client.call("contacts", {})).toMatchObject([{ name: "bob", state: "recovering" }])
  expect(answers()).toBe(before)
})
