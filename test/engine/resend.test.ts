import { copyFileSync, existsSync, rmSync } from "node:fs"
import { expect, test } from "vitest"
import { openStore } from "../../src/store/store.ts"
import { couple, type EngineFixture, type TestProfile } from "./engine-fixture.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

const RENEWED = "the connection with alice was renewed"
const AGAIN = "messages from alice that this device had lost come again"

/** A copy of Bob's store, taken between two processes. */
async function copyOf(profile: TestProfile): Promise<string> {
  const copy = `${profile.path}.copy`
  await profile.stop()
  copyFileSync(profile.path, copy)
  await profile.start()
  return copy
}

async function rollBack(profile: TestProfile, to: string): Promise<void> {
  await profile.crash()
  if (existsSync(`${profile.path}-wal`)) rmSync(`${profile.path}-wal`)
  copyFileSync(to, profile.path)
  await profile.start()
}

async function say(fixture: EngineFixture, from: TestProfile, to: string, texts: readonly string[]) {
  for (const text of texts) {
    await from.send(to, text)
    await fixture.clock.pass(50)
  }
}

/** Bob's frames fit nothing, until his or her engine notices. */
async function notice(fixture: EngineFixture, bob: TestProfile, alice: TestProfile): Promise<void> {
  await bob.client.call("reset", { contact: alice.name })
  await fixture.clock.pass(MINUTE_MS)
}

function numbered(count: number, word = "text"): string[] {
  return Array.from({ length: count }, (_, n) => `${word} ${n + 1}`)
}

test("[D-132] what follows an INIT at once opens, whatever is read before the INIT is answered", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.stop()
  await alice.client.call("reset", { contact: "bob" })
  for (const text of ["one", "two", "three"]) await alice.send("bob", text)
  await fixture.clock.pass(100)
  await bob.start()
  await fixture.clock.pass(100)
  expect((await bob.texts("alice")).slice(-3)).toEqual(["one", "two", "three"])
  expect(await bob.client.call("status", {})).toMatchObject({ dropped: 0 })
})

test("[D-132] what Bob's store had lost comes again from Alice, in its order and with its time, and both are told", async () => {
  const { fixture, alice, bob } = await couple()
  await say(fixture, alice, "bob", numbered(10, "kept"))
  const copy = await copyOf(bob)
  await say(fixture, alice, "bob", numbered(20, "lost"))
  const before = await bob.read("alice")
  await rollBack(bob, copy)
  // Her next texts fit nothing there.
  await say(fixture, alice, "bob", numbered(3, "new"))
  await fixture.clock.pass(HOUR_MS)
  expect(await bob.texts("alice")).toEqual([
    ...numbered(10, "kept"),
    ...numbered(20, "lost"),
    ...numbered(3, "new"),
  ])
  const after = await bob.read("alice")
  expect(after.slice(0, 30).map(({ id, sentAt }) => [id, sentAt])).toEqual(
    before.map(({ id, sentAt }) => [id, sentAt]),
  )
  expect(await bob.systemMessages("alice")).toEqual([RENEWED, AGAIN])
  expect((await alice.systemMessages("bob")).at(-1)).toBe(
    "20 messages that bob's device had lost were sent again",
  )
  expect(new Set(await alice.states("bob"))).toEqual(new Set(["delivered"]))
  expect(await alice.client.call("outbox", {})).toMatchObject([])
})

test("[D-132] it is the same where Alice begins the new session", async () => {
  const { fixture, alice, bob } = await couple()
  await say(fixture, alice, "bob", numbered(4, "kept"))
  const copy = await copyOf(bob)
  await say(fixture, alice, "bob", numbered(9, "lost"))
  await rollBack(bob, copy)
  await notice(fixture, alice, bob)
  expect(await bob.texts("alice")).toEqual([...numbered(4, "kept"), ...numbered(9, "lost")])
  expect(await bob.systemMessages("alice")).toContain(AGAIN)
})

test("a recovery in which nothing was lost sends nothing again, and no one is told", async () => {
  const { fixture, alice, bob } = await couple()
  await say(fixture, alice, "bob", numbered(10))
  await say(fixture, bob, "alice", numbered(3))
  await notice(fixture, bob, alice)
  await notice(fixture, alice, bob)
  expect(await bob.texts("alice")).toEqual(numbered(10))
  expect(new Set(await bob.systemMessages("alice"))).toEqual(new Set([RENEWED]))
  expect(new Set(await alice.systemMessages("bob"))).toEqual(new Set(["the connection with bob was renewed"]))
})

test("Alice's store was put back: Bob has more of hers than she has, and she sends him nothing again", async () => {
  const { fixture, alice, bob } = await couple()
  await say(fixture, alice, "bob", numbered(10, "kept"))
  const copy = await copyOf(alice)
  await say(fixture, alice, "bob", numbered(9, "lost"))
  await say(fixture, bob, "alice", numbered(7, "from bob"))
  await rollBack(alice, copy)
  await notice(fixture, alice, bob)
  expect(await alice.texts("bob")).toEqual(numbered(7, "from bob"))
  expect(await bob.texts("alice")).toEqual([...numbered(10, "kept"), ...numbered(9, "lost")])
  expect(await bob.systemMessages("alice")).toEqual([
    RENEWED,
    "7 messages that alice's device had lost were sent again",
  ])
  expect((await alice.systemMessages("bob")).filter((line) => line.includes("sent again"))).toEqual([])
})

test("both stores were put back, each to another time: each gets what the other still has", async () => {
  const { fixture, alice, bob } = await couple()
  await say(fixture, alice, "bob", numbered(2, "a"))
  const ofAlice = await copyOf(alice)
  await say(fixture, bob, "alice", numbered(2, "b"))
  const ofBob = await copyOf(bob)
  await say(fixture, alice, "bob", ["a 3"])
  await say(fixture, bob, "alice", ["b 3"])
  await rollBack(alice, ofAlice)
  await rollBack(bob, ofBob)
  await notice(fixture, bob, alice)
  expect(await alice.texts("bob")).toEqual(numbered(2, "b"))
  expect(await bob.texts("alice")).toEqual(numbered(2, "a"))
})

test("[D-133] what was deleted, has timed out, or is older than 30 days does not come again", async () => {
  const { fixture, alice, bob } = await couple()
  const copy = await copyOf(bob)
  await say(fixture, alice, "bob", ["too old"])
  await fixture.clock.pass(31 * DAY_MS)
  await say(fixture, alice, "bob", ["stays"])
  const deleted = await alice.send("bob", "deleted")
  await fixture.clock.pass(50)
  await alice.client.call("delete", { contact: "bob", id: deleted, forAll: true })
  await fixture.clock.pass(50)
  await alice.client.call("timer", { contact: "bob", timerSeconds: 60 })
  await say(fixture, alice, "bob", ["timed out"])
  await fixture.clock.pass(2 * MINUTE_MS)
  await rollBack(bob, copy)
  await notice(fixture, bob, alice)
  expect(await bob.texts("alice")).toEqual(["stays"])
})

test("[D-134] edits, reactions and deletions that were lost come again: Bob's store says what Alice's says", async () => {
  const { fixture, alice, bob } = await couple()
  await say(fixture, bob, "alice", ["from bob"])
  await say(fixture, alice, "bob", ["one", "two", "three"])
  const copy = await copyOf(bob)
  const [ofBob, one, two] = await alice.client.call("history", { contact: "bob", limit: 10 })
  await alice.client.call("edit", { contact: "bob", id: one!.id, text: "one, edited" })
  await alice.client.call("delete", { contact: "bob", id: two!.id, forAll: true })
  await alice.client.call("react", { contact: "bob", id: ofBob!.id, emoji: "👍" })
  await fixture.clock.pass(MINUTE_MS)
  const four = await alice.send("bob", "four")
  await fixture.clock.pass(50)
  await alice.client.call("edit", { contact: "bob", id: four, text: "four, edited" })
  await fixture.clock.pass(MINUTE_MS)
  await rollBack(bob, copy)
  await notice(fixture, bob, alice)
  const here = await bob.client.call("history", { contact: "alice", limit: 20 })
  expect(here.filter(({ kind }) => kind === "text").map(({ text }) => text)).toEqual([
    "from bob",
    "one, edited",
    "",
    "three",
    "four, edited",
  ])
  expect(here[0]?.reactions).toMatchObject([{ emoji: "👍" }])
  expect(await alice.client.call("outbox", {})).toMatchObject([])
})

test("what had not been acknowledged follows what comes again", async () => {
  const { fixture, alice, bob } = await couple()
  const copy = await copyOf(bob)
  await say(fixture, alice, "bob", numbered(5, "lost"))
  await bob.crash()
  await say(fixture, alice, "bob", numbered(2, "waits"))
  await rollBack(bob, copy)
  await notice(fixture, bob, alice)
  expect(await bob.texts("alice")).toEqual([...numbered(5, "lost"), ...numbered(2, "waits")])
})

test("texts that waited behind a gap when the store was copied come again with what had filled it", async () => {
  const { fixture, alice, bob } = await couple()
  await say(fixture, alice, "bob", ["first"])
  let dropped = 0
  fixture.broker.tamper = (topic, payload) =>
    topic.includes(bob.deviceId) && dropped++ === 0 ? [] : [payload]
  await say(fixture, alice, "bob", ["missing", "behind it"])
  const copy = await copyOf(bob)
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["first", "missing", "behind it"])
  await rollBack(bob, copy)
  await notice(fixture, bob, alice)
  expect([...(await bob.texts("alice"))].sort()).toEqual(["behind it", "first", "missing"])
})

test("[D-133] of too many texts within an hour the newest come again, and Alice is told that others do not", async () => {
  const { fixture, alice, bob } = await couple()
  const copy = await copyOf(bob)
  await say(fixture, alice, "bob", numbered(5, "lost"))
  await alice.stop()
  await alice.edit(async (path, key) => {
    const store = await openStore(path, key)
    const { resend } = [...(await store.load()).deviceParts.values()][0]!
    const value = { ...resend!, spentAt: fixture.clock.now(), spentTexts: 2_998 }
    await store.commit([{ kind: "device-part", device: 1, part: "resend", value }])
    await store.close()
  })
  await alice.start()
  await rollBack(bob, copy)
  await notice(fixture, bob, alice)
  expect(await bob.texts("alice")).toEqual(["lost 4", "lost 5"])
  expect((await alice.systemMessages("bob")).at(-1)).toBe(
    "2 messages that bob's device had lost were sent again; older ones were not: too many are missing",
  )
  await rollBack(bob, copy)
  await fixture.clock.pass(HOUR_MS)
  await notice(fixture, bob, alice)
  expect(await bob.texts("alice")).toEqual(numbered(5, "lost"))
})

test("[D-133] a device gets nothing again from before its account was locked", async () => {
  const { fixture, alice, bob } = await couple()
  const copy = await copyOf(bob)
  await say(fixture, alice, "bob", ["before"])
  await alice.stop()
  await fixture.clock.pass(MINUTE_MS)
  await alice.edit(async (path, key) => {
    const store = await openStore(path, key)
    const { resend } = [...(await store.load()).deviceParts.values()][0]!
    const value = { ...resend!, since: fixture.clock.now() }
    await store.commit([{ kind: "device-part", device: 1, part: "resend", value }])
    await store.close()
  })
  await alice.start()
  await say(fixture, alice, "bob", ["after"])
  await rollBack(bob, copy)
  await notice(fixture, bob, alice)
  expect(await bob.texts("alice")).toEqual(["after"])
})

test("Alice's process dies at any commit of it: Bob has all of it once, and in its order", async () => {
  const { fixture, alice, bob } = await couple()
  const copy = await copyOf(bob)
  await say(fixture, alice, "bob", numbered(40, "lost"))
  const ofAlice = await copyOf(alice)
  for (let commits = 1; commits < 12; commits++) {
    await rollBack(alice, ofAlice)
    await rollBack(bob, copy)
    alice.diesAfter(commits)
    await bob.client.call("reset", { contact: "alice" })
    await fixture.clock.pass(1_000)
    await alice.crash()
    await alice.start()
    await fixture.clock.pass(MINUTE_MS)
    expect(await bob.texts("alice"), `${commits}`).toEqual(numbered(40, "lost"))
  }
})

test("[W-72] [D-132] a text that waits for an earlier one is here: a new session tells no one that it was lost", async () => {
  const { fixture, alice, bob } = await couple()
  let isFirst = true
  fixture.broker.tamper = (_topic, payload) => {
    const copies = isFirst ? [] : [payload]
    isFirst = false
    return copies
  }
  await say(fixture, alice, "bob", ["lost", "waits"])
  expect(await alice.states("bob")).toEqual(["broker", "delivered"])
  expect(await bob.texts("alice")).toEqual([])
  await bob.client.call("reset", { contact: "alice" })
  await fixture.clock.pass(MINUTE_MS)
  expect((await bob.texts("alice")).sort()).toEqual(["lost", "waits"])
  expect(await bob.systemMessages("alice")).not.toContain(AGAIN)
  expect(await alice.systemMessages("bob")).toEqual(["the connection with bob was renewed"])
})
