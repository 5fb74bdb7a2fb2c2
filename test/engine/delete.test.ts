import { expect, test } from "vitest"
import { couple, type TestProfile } from "./engine-fixture.ts"
import { saysSame } from "./words-fixture.ts"

const MINUTE_MS = 60_000

async function historyOf(profile: TestProfile, contact: string): Promise<string[]> {
  return (await profile.client.call("history", { contact, limit: 100 })).map(({ text }) => text)
}

test("a deleted message is gone here only, from the conversation, the search and the events", async () => {
  const { fixture, alice, bob } = await couple()
  for (const text of ["first", "second", "third"]) await alice.send("bob", text)
  await fixture.clock.pass(100)
  const [, second] = await bob.client.call("history", { contact: "alice", limit: 100 })
  const id = second?.id ?? ""
  expect(await bob.client.call("find", { id: id.slice(0, 12) })).toEqual([second])
  expect(await bob.client.call("delete", { contact: "alice", id })).toEqual({ deleted: 1, cancelled: 0 })
  expect(await historyOf(bob, "alice")).toEqual(["first", "third"])
  expect(await bob.client.call("search", { query: "second", limit: 9 })).toEqual([])
  expect(await bob.client.call("find", { id })).toEqual([])
  expect(JSON.stringify(await bob.client.call("events", { since: 0, limit: 100 }))).not.toContain(id)
  expect(await historyOf(alice, "bob")).toEqual(["first", "second", "third"])
  await expect(bob.client.call("delete", { contact: "alice", id })).rejects.toMatchObject({
    code: "not-found",
  })
})

test("a deleted message that the broker delivers again is acknowledged and does not come back", async () => {
  const { fixture, alice, bob } = await couple()
  const sent: Uint8Array[] = []
  fixture.broker.tamper = (topic, payload) => {
    if (topic.includes(bob.deviceId)) sent.push(payload)
    return topic.includes(bob.deviceId) ? [...sent] : [payload]
  }
  await alice.send("bob", "once only")
  await fixture.clock.pass(100)
  await bob.client.call("delete-all", { contact: "alice" })
  await bob.stop()
  await bob.start()
  await alice.send("bob", "next")
  await fixture.clock.pass(MINUTE_MS)
  expect(await historyOf(bob, "alice")).toEqual(["next"])
})

test("a message that was never sent is cancelled, and the later ones still come in order", async () => {
  const { fixture, alice, bob } = await couple()
  fixture.broker.close()
  await alice.send("bob", "kept")
  const id = await alice.send("bob", "deleted")
  await alice.send("bob", "kept too")
  expect(await alice.client.call("delete", { contact: "bob", id })).toEqual({ deleted: 1, cancelled: 1 })
  expect(alice.events).toContainEqual(expect.objectContaining({ kind: "receipt", id, state: "cancelled" }))
  fixture.broker.reopen()
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["kept", "kept too"])
  expect(await historyOf(alice, "bob")).toEqual(["kept", "kept too"])
})

test("a message that was sent and deleted before it was acknowledged still arrives", async () => {
  const { fixture, alice, bob } = await couple()
  fixture.broker.tamper = () => []
  await alice.send("bob", "on its way")
  await fixture.clock.pass(100)
  expect(await alice.client.call("delete-all", { contact: "bob" })).toEqual({ deleted: 1, cancelled: 0 })
  expect(await historyOf(alice, "bob")).toEqual([])
  expect(await alice.client.call("status", {})).toMatchObject({ queued: 0, undelivered: 1 })
  await alice.stop()
  await alice.start()
  fixture.broker.tamper = (_topic, payload) => [payload]
  await fixture.clock.pass(60 * MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["on its way"])
  expect(await alice.client.call("status", {})).toMatchObject({ undelivered: 0 })
})

test("all messages of one contact are deleted, the contact stays and new messages come", async () => {
  const { fixture, alice, bob } = await couple()
  const before = await alice.client.call("contacts", {})
  for (const text of ["one", "two"]) await alice.send("bob", text)
  await bob.send("alice", "answer")
  await fixture.clock.pass(100)
  expect(await alice.client.call("delete-all", { contact: "bob" })).toEqual({ deleted: 3, cancelled: 0 })
  expect(await alice.client.call("contacts", {})).toEqual(before)
  expect(await alice.client.call("inbox", { markRead: false })).toEqual([])
  await bob.send("alice", "still here?")
  await alice.send("bob", "yes")
  await fixture.clock.pass(100)
  expect(await historyOf(alice, "bob")).toEqual(["still here?", "yes"])
  expect(await historyOf(bob, "alice")).toEqual(["one", "two", "answer", "still here?", "yes"])
})

test("a text that waits to be sealed for new keys is cancelled with its deletion", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.crash()
  await alice.send("bob", "waits")
  await fixture.clock.pass(100)
  const newBob = await fixture.profile("bob")
  await fixture.pair(alice, newBob)
  await alice.client.call("replace", { contact: "bob", newContact: "bob-2" })
  expect(await alice.client.call("status", {})).toMatchObject({ undelivered: 1 })
  expect(await alice.client.call("delete-all", { contact: "bob" })).toMatchObject({ cancelled: 1 })
  expect(await alice.client.call("status", {})).toMatchObject({ undelivered: 0 })
  await saysSame(alice, "bob")
  await fixture.clock.pass(MINUTE_MS)
  expect(await newBob.texts("alice")).toEqual([])
})

test("with a whole conversation goes what waits to be shown in it, and what comes later is shown in order [D-65]", async () => {
  const { fixture, alice, bob } = await couple()
  const lost: Uint8Array[] = []
  fixture.broker.tamper = (topic, payload) => {
    if (!topic.includes(alice.deviceId) || lost.length > 0) return [payload]
    lost.push(payload)
    return []
  }
  const late = await bob.send("alice", "late")
  await fixture.clock.pass(5)
  await bob.send("alice", "held")
  await bob.client.call("edit", { contact: "alice", id: late, text: "later" })
  await fixture.clock.pass(20)
  expect((await alice.store.load()).held.filter(({ text }) => text !== undefined)).toHaveLength(1)
  expect(await alice.store.earlyChanges()).toHaveLength(1)
  expect(await alice.client.call("delete-all", { contact: "bob" })).toEqual({ deleted: 0, cancelled: 0 })
  expect((await alice.store.load()).held.filter(({ text }) => text !== undefined)).toEqual([])
  expect(await alice.store.earlyChanges()).toEqual([])
  await fixture.clock.pass(MINUTE_MS)
  await bob.send("alice", "next")
  await fixture.clock.pass(MINUTE_MS)
  expect(await historyOf(alice, "bob")).toEqual(["late", "next"])
  expect(await bob.states("alice")).toEqual(["delivered", "delivered", "delivered"])
})
