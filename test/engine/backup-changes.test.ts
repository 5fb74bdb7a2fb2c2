import { expect, test } from "vitest"
import type { Message } from "../../src/engine/api.ts"
import { replacedContact } from "./candidate.ts"
import { couple, type TestProfile } from "./engine-fixture.ts"
import { backUp, restored } from "./backup-fixture.ts"
import { cutOff, twoDevices } from "./two-devices.ts"
import { saysSame } from "./words-fixture.ts"

const MINUTE_MS = 60_000

const changed = ({ id, text, editedAt, previous, deletedAt, reactions }: Message) => {
  return { id, text, editedAt, previous, deletedAt, reactions }
}
async function texts(profile: TestProfile, contact: string) {
  const all = await profile.client.call("history", { contact, limit: 100 })
  return all.filter(({ kind }) => kind === "text").map(changed)
}

test("a backup holds what became of each message, and what was not acknowledged is sent from the new laptop", async () => {
  const { fixture, alice, bob } = await couple()
  const call = alice.client.call
  await bob.send("alice", "hello, Alice")
  const edited = await alice.send("bob", "first")
  const deleted = await alice.send("bob", "zyzzogeton")
  const regretted = await alice.send("bob", "regretted")
  await fixture.clock.pass(1_000)
  await call("edit", { contact: "bob", id: edited, text: "second" })
  await call("edit", { contact: "bob", id: edited, text: "third" })
  await call("delete", { contact: "bob", id: deleted, forAll: true })
  const [hello] = await texts(alice, "bob")
  await bob.client.call("react", { contact: "alice", id: edited, emoji: "🎉" })
  await fixture.clock.pass(1_000)

  fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : [payload])
  await call("edit", { contact: "bob", id: edited, text: "fourth" })
  await call("react", { contact: "bob", id: hello?.id ?? "", emoji: "👍" })
  await call("delete", { contact: "bob", id: regretted, forAll: true })
  await call("delete", { contact: "bob", id: regretted })
  await fixture.clock.pass(1_000)
  const before = await texts(alice, "bob")
  const path = await backUp(alice)
  await alice.stop()
  fixture.broker.tamper = (_topic, payload) => [payload]

  const laptop = await restored(fixture, "laptop", path)
  expect(await texts(laptop, "bob")).toEqual(before)
  expect(await laptop.client.call("search", { query: "zyzzogeton", limit: 9 })).toEqual([])
  expect(await laptop.client.call("search", { query: "fourth", limit: 9 })).toHaveLength(1)
  await fixture.clock.pass(60 * MINUTE_MS)
  const theirs = await texts(bob, "alice")
  expect(theirs.map(({ text }) => text)).toEqual(["hello, Alice", "fourth", "", ""])
  expect(theirs[0]?.reactions.map(({ emoji }) => emoji)).toEqual(["👍"])
  expect(theirs[1]?.previous.map(({ text }) => text)).toEqual(["first", "second", "third"])
  expect((await laptop.store.load()).outgoing).toEqual([])
})

test("an edit that waits for its message is in a backup, too", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.send("alice", "hello")
  await fixture.clock.pass(50)
  await alice.send("bob", "hello yourself")
  await fixture.clock.pass(50)
  const lost: Uint8Array[] = []
  fixture.broker.tamper = (topic, payload) => {
    if (!topic.includes(bob.deviceId) || lost.length > 0) return [payload]
    lost.push(payload)
    return []
  }
  const id = await alice.send("bob", "draft")
  await fixture.clock.pass(5)
  await alice.client.call("edit", { contact: "bob", id, text: "final" })
  await fixture.clock.pass(20)
  expect(await bob.store.earlyChanges()).toHaveLength(1)
  const path = await backUp(bob)
  await bob.crash()
  const laptop = await restored(fixture, "laptop", path)
  await fixture.clock.pass(60 * MINUTE_MS)
  expect((await texts(laptop, "alice")).map(({ text }) => text)).toEqual(["hello", "hello yourself", "final"])
})

test("[B-6] [D-90] what was said under a key whose place another took stays its own on the new laptop", async () => {
  const { fixture, alice } = await replacedContact(async ({ alice: early, bob }) => {
    await bob.start()
    const id = await early.send("bob", "had arrived")
    await bob.fixture.clock.pass(1_000)
    await bob.client.call("react", { contact: "alice", id, emoji: "🎉" })
    await bob.fixture.clock.pass(1_000)
    await bob.stop()
  })
  await saysSame(alice, "bob")
  const kept = async ({ store }: TestProfile) =>
    (await store.messages(0, 100)).map(({ text, supersededKey, reactions }) => [
      ...[text, supersededKey, reactions.map(({ emoji }) => emoji)],
    ])
  const before = await kept(alice)
  expect(before).toContainEqual(["old times", "compared", []])
  expect(before).toContainEqual(["had arrived", "compared", ["🎉"]])
  const path = await backUp(alice)
  await alice.stop()
  const laptop = await restored(fixture, "laptop", path)
  expect((await kept(laptop)).slice(0, before.length)).toEqual(before)
  const [old] = await laptop.store.messages(0, 1)
  if (old === undefined || old.author === null) throw new Error("there is nothing to change")
  const { conversation, author, id, digest } = old
  const change = { kind: "delete", by: author, time: 9e12 } as const
  await laptop.store.commit([{ kind: "change", conversation, author, id, digest, change, at: 9e12 }])
  expect((await kept(laptop))[0]).toEqual(before[0])
})

test("[B-6] the marks of a key that was never compared are on the new laptop, too", async () => {
  const { fixture, alice, candidate } = await replacedContact()
  const trueBob = await fixture.profile("bob")
  await fixture.pair(alice, trueBob)
  await alice.client.call("replace", { contact: "bob", newContact: "bob-2" })
  await saysSame(alice, "bob")
  const path = await backUp(alice)
  await Promise.all([alice.stop(), candidate.stop()])
  const laptop = await restored(fixture, "laptop", path)
  const texts = (await laptop.read("bob")).map(({ text, trusted }) => [text, trusted])
  expect(texts).toEqual([
    ["old times", true],
    ["it is me", false],
  ])
})

test("[B-6] [B-9] what one device has and another lacks is sent to that one from the new laptop", async () => {
  const { fixture, alice, laptop: bobsLaptop, phone } = await twoDevices()
  const both = await alice.send("bob", "for both")
  const edited = await alice.send("bob", "frist")
  const deleted = await alice.send("bob", "zyzzogeton")
  await fixture.clock.pass(1_000)
  cutOff(fixture, phone)
  await alice.send("bob", "late")
  await alice.client.call("edit", { contact: "bob", id: edited, text: "first" })
  await alice.client.call("react", { contact: "bob", id: both, emoji: "👍" })
  await alice.client.call("delete", { contact: "bob", id: deleted, forAll: true })
  await fixture.clock.pass(1_000)
  expect((await alice.states("bob")).slice(-1)).toEqual(["delivered"])
  const path = await backUp(alice)
  await alice.stop()
  const laptop = await restored(fixture, "laptop", path)
  await fixture.clock.pass(1_000)
  expect((await laptop.client.call("contacts", {}))[0]?.queued).toBe(0)
  expect(await laptop.client.call("outbox", {})).toEqual([])
  const { outgoing } = await laptop.store.load()
  const pending = outgoing.filter(({ carries, carriesChange }) => carries ?? carriesChange)
  expect(pending.map(({ delivered }) => delivered)).toEqual([true, true, true, true])
  fixture.broker.tamper = (_topic, payload) => [payload]
  await fixture.clock.pass(60 * MINUTE_MS)
  for (const device of [bobsLaptop, phone]) {
    const got = (await texts(device, "alice")).filter(({ text }) => !text.startsWith("hello"))
    expect(got.map(({ text }) => text)).toEqual(["for both", "first", "", "late"])
    expect(got[0]?.reactions.map(({ emoji }) => emoji)).toEqual(["👍"])
  }
  expect((await laptop.states("bob")).slice(-1)).toEqual(["delivered"])
  expect((await laptop.store.load()).outgoing).toEqual([])
})

test("[B-11] a text that was deleted before the backup is not shown by the new laptop when it comes again", async () => {
  const { fixture, alice, bob } = await couple()
  await alice.client.call("timer", { contact: "bob", timerSeconds: 60 })
  await fixture.clock.pass(1_000)
  fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : [payload])
  await bob.send("alice", "ran out")
  await fixture.clock.pass(1_000)
  await alice.client.call("inbox", { markRead: true })
  await fixture.clock.pass(61_000)
  const deleted = await bob.send("alice", "deleted")
  await bob.send("alice", "kept")
  const ours = await alice.send("bob", "ours")
  await fixture.clock.pass(1_000)
  for (const id of [deleted, ours]) await alice.client.call("delete", { contact: "bob", id })
  expect(await texts(alice, "bob")).toMatchObject([{ text: "kept" }])
  expect(await bob.states("alice")).toEqual(["broker", "broker", "broker"])
  const path = await backUp(alice)
  await alice.crash()
  fixture.broker.tamper = (_topic, payload) => [payload]

  const laptop = await restored(fixture, "laptop", path)
  await fixture.clock.pass(10_000)
  expect(await bob.states("alice")).toEqual(["delivered", "delivered", "delivered"])
  expect(await texts(laptop, "bob")).toMatchObject([{ text: "kept" }])
  const { call } = laptop.client
  for (const replyTo of [deleted, ours])
    await call("send", { contact: "bob", text: "sorry", replyTo, wait: "queued", timeoutMs: 0 })
})
