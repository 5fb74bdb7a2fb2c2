import { describe, expect, test } from "vitest"

import { couple, EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { saysSame } from "./words-fixture.ts"

const HOUR_MS = 3_600_000

async function allTexts(profile: TestProfile, of: string): Promise<string[]> {
  const all = await profile.client.call("history", { contact: of, limit: 1_000 })
  return all.filter(({ kind }) => kind === "text").map(({ text }) => text)
}

test("a timer that one side sets holds for both: the receiver's time begins when the text was shown", async () => {
  const { fixture, alice, bob } = await couple()
  await alice.send("bob", "stays")
  await alice.client.call("timer", { contact: "bob", timerSeconds: 3_600 })
  await alice.send("bob", "goes")
  await fixture.clock.pass(50)
  expect(await bob.systemMessages("alice")).toEqual(["alice set messages to disappear after 1 hour"])
  expect(await alice.systemMessages("bob")).toEqual(["you set messages to disappear after 1 hour"])
  await bob.send("alice", "goes, too")
  await fixture.clock.pass(2 * HOUR_MS)
  // Alice's own text is gone two hours after it arrived; Bob has read nothing.
  expect(await allTexts(alice, "bob")).toEqual(["stays", "goes, too"])
  expect(await allTexts(bob, "alice")).toEqual(["stays", "goes"])
  await bob.client.call("inbox", { markRead: true })
  await alice.client.call("inbox", { markRead: true })
  await fixture.clock.pass(HOUR_MS + 1_000)
  expect(await allTexts(bob, "alice")).toEqual(["stays"])
  expect(await allTexts(alice, "bob")).toEqual(["stays"])
  expect(await bob.client.call("search", { query: "goes", limit: 10 })).toEqual([])
})

test("time goes on while no process runs, and expired texts are gone at the next start", async () => {
  const { fixture, alice, bob } = await couple()
  await alice.client.call("timer", { contact: "bob", timerSeconds: 60 })
  await alice.send("bob", "short")
  await fixture.clock.pass(50)
  await bob.client.call("inbox", { markRead: true })
  await bob.crash()
  await fixture.clock.pass(HOUR_MS)
  await bob.start()
  await fixture.clock.pass(1_000)
  expect(await allTexts(bob, "alice")).toEqual([])
})

describe("a text has the timer that was set when it was written", () => {
  test.each([
    ["that the contact ends before the session is made anew", 3_600, 0],
    ["after one without a timer", 0, 60],
    ["and the setting is another by then", 3_600, 60],
  ])("%s [W-32] [D-34]", async (_name, written, later) => {
    const { fixture, alice, bob } = await couple()
    if (written > 0) await alice.client.call("timer", { contact: "bob", timerSeconds: written })
    await fixture.clock.pass(100)
    fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : [payload])
    const id = await alice.send("bob", "frist")
    await alice.client.call("edit", { contact: "bob", id, text: "first" })
    await bob.client.call("timer", { contact: "alice", timerSeconds: later })
    await fixture.clock.pass(100)
    fixture.broker.tamper = (_topic, payload) => [payload]
    await alice.client.call("reset", { contact: "bob" })
    await fixture.clock.pass(100)
    const [got] = await bob.read("alice")
    expect(got).toMatchObject({ id, text: "first", timerSeconds: written })
    for (const profile of [alice, bob])
      expect((await profile.client.call("contacts", {}))[0]).toMatchObject({ timerSeconds: later })
    await alice.send("bob", "next")
    await fixture.clock.pass(100)
    expect((await bob.read("alice")).at(-1)).toMatchObject({ text: "next", timerSeconds: later })
  })

  test.each([0, 60])(
    "and a setting of %i s that ended with the session is told in the next one [D-34]",
    async (seconds) => {
      const { fixture, alice, bob } = await couple()
      await alice.client.call("timer", { contact: "bob", timerSeconds: 3_600 })
      await fixture.clock.pass(100)
      fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : [payload])
      await alice.client.call("timer", { contact: "bob", timerSeconds: seconds })
      await fixture.clock.pass(100)
      fixture.broker.tamper = (_topic, payload) => [payload]
      await bob.client.call("reset", { contact: "alice" })
      await fixture.clock.pass(10_000)
      for (const profile of [alice, bob])
        expect((await profile.client.call("contacts", {}))[0]).toMatchObject({ timerSeconds: seconds })
      const lines = (await bob.systemMessages("alice")).filter((line) => line.startsWith("alice "))
      expect(lines).toHaveLength(2)
    },
  )

  test("and brings that setting to no one: who never heard of it keeps their own [W-32]", async () => {
    const { fixture, alice, bob } = await couple()
    fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : [payload])
    await alice.client.call("timer", { contact: "bob", timerSeconds: 3_600 })
    await alice.send("bob", "goes")
    await alice.client.call("timer", { contact: "bob", timerSeconds: 0 })
    await fixture.clock.pass(100)
    fixture.broker.tamper = (_topic, payload) => [payload]
    await alice.client.call("reset", { contact: "bob" })
    await fixture.clock.pass(100)
    expect((await bob.read("alice"))[0]).toMatchObject({ text: "goes", timerSeconds: 3_600 })
    expect((await bob.client.call("contacts", {}))[0]).toMatchObject({ timerSeconds: 0 })
    expect(await bob.systemMessages("alice")).not.toContain("alice set messages to disappear after 1 hour")
  })
})

test("of two timers set at the same time both sides keep the same one", async () => {
  const { fixture, alice, bob } = await couple()
  await Promise.all([
    alice.client.call("timer", { contact: "bob", timerSeconds: 3_600 }),
    bob.client.call("timer", { contact: "alice", timerSeconds: 60 }),
  ])
  await fixture.clock.pass(100)
  const timers = await Promise.all([alice, bob].map(async ({ client }) => client.call("contacts", {})))
  expect(timers.flat().map(({ timerSeconds }) => timerSeconds)).toEqual([60, 60])
})

test("read receipts are sent only if enabled", async () => {
  const { fixture, alice, bob } = await couple()
  const options = { readReceipts: true, typingIndicators: true, receiptDelayMs: 0 }
  await alice.send("bob", "secretly read")
  await fixture.clock.pass(50)
  await bob.client.call("inbox", { markRead: true })
  await fixture.clock.pass(50)
  expect(await alice.states("bob")).toEqual(["delivered"])
  await bob.client.call("privacy", { contact: "alice", ...options })
  await alice.send("bob", "openly read")
  await fixture.clock.pass(50)
  await bob.client.call("inbox", { markRead: true })
  await fixture.clock.pass(50)
  expect(await alice.states("bob")).toEqual(["delivered", "read"])
})

test("typing notices are sent only if enabled, and cause no receipt", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.client.call("typing", { contact: "alice", typing: true })
  await fixture.clock.pass(50)
  expect(alice.events.filter(({ kind }) => kind === "typing")).toEqual([])
  await bob.client.call("privacy", {
    contact: "alice",
    readReceipts: false,
    typingIndicators: true,
    receiptDelayMs: 0,
  })
  const messages = fixture.broker.seen.length
  await bob.client.call("typing", { contact: "alice", typing: true })
  await fixture.clock.pass(50)
  expect(alice.events.at(-1)).toEqual({ kind: "typing", contact: "bob", contactId: 1, typing: true })
  expect(fixture.broker.seen.length).toBe(messages + 1)
})

test("receipts with a random delay come within it, and not at once", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.client.call("privacy", {
    contact: "alice",
    readReceipts: false,
    typingIndicators: false,
    receiptDelayMs: 60_000,
  })
  for (let n = 0; n < 5; n++) await alice.send("bob", `${n}`)
  await fixture.clock.pass(6)
  expect(new Set(await alice.states("bob"))).toEqual(new Set(["broker"]))
  await fixture.clock.pass(61_000)
  expect(new Set(await alice.states("bob"))).toEqual(new Set(["delivered"]))
})

test("texts of the old keys that wait for an earlier one are shown when a contact is replaced", async () => {
  const fixture = new EngineFixture()
  const [alice, bob, newBob] = [
    await fixture.profile("alice"),
    await fixture.profile("bob"),
    await fixture.profile("bob"),
  ]
  await fixture.pair(alice, bob)
  let lost = 0
  fixture.broker.tamper = (topic, payload) =>
    topic.includes(alice.deviceId) && lost++ === 0 ? [] : [payload]
  for (const text of ["lost with my keys", "one", "two"]) await bob.send("alice", text)
  await fixture.clock.pass(20)
  expect(await alice.texts("bob")).toEqual([])
  await bob.crash()
  await fixture.pair(alice, newBob)
  await alice.client.call("replace", { contact: "bob", newContact: "bob-2" })
  await newBob.send("alice", "it is me")
  await fixture.clock.pass(50)
  const read = await alice.read("bob")
  expect(read.map(({ text, trusted }) => [text, trusted])).toEqual([
    ["one", true],
    ["two", true],
    ["it is me", false],
  ])
  expect((await alice.systemMessages("bob"))[0]).toBe("1 message from bob did not arrive")
  const notified = alice.events.filter((event) => event.kind === "message" && event.message.text === "one")
  expect(notified).toHaveLength(1)
  expect((await alice.store.load()).held).toEqual([])
})

test("a contact who lost their keys pairs again, keeps their conversation, and is locked until compared", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  const newBob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await bob.send("alice", "old times")
  await fixture.clock.pass(50)
  await alice.client.call("inbox", { markRead: true })
  await bob.crash()
  await alice.send("bob", "did not arrive")
  await fixture.clock.pass(50)
  await fixture.pair(alice, newBob)
  await fixture.clock.pass(50)

  const replaced = await alice.client.call("replace", { contact: "bob", newContact: "bob-2" })
  expect(replaced).toMatchObject({ name: "bob", verified: false })
  expect(replaced.keyChangedAt).not.toBeNull()
  expect(await alice.client.call("contacts", {})).toHaveLength(1)
  await newBob.send("alice", "it is me")
  await fixture.clock.pass(50)
  const history = await alice.client.call("history", { contact: "bob", limit: 10 })
  expect(history.map(({ text, trusted }) => [text, trusted])).toEqual([
    ["old times", true],
    ["did not arrive", true],
    [
      "bob's key changed: compare it before you continue; until then a message to them waits: mqttchat verify bob",
      true,
    ],
    ["it is me", false],
  ])
  await expect(alice.send("bob", "really?")).rejects.toMatchObject({
    code: "refused",
    hint: "mqttchat verify bob",
  })
  await fixture.clock.pass(HOUR_MS)
  expect(await newBob.texts("alice")).toEqual([])

  await saysSame(alice, "bob")
  await fixture.clock.pass(50)
  expect(await newBob.texts("alice")).toEqual(["did not arrive"])
  await alice.send("bob", "it is you")
  await fixture.clock.pass(50)
  expect(await newBob.texts("alice")).toEqual(["did not arrive", "it is you"])
})
