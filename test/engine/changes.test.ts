import { copyFileSync } from "node:fs"
import { expect, test } from "vitest"
import type { Message } from "../../src/engine/api.ts"
import { couple, type EngineFixture, type TestProfile } from "./engine-fixture.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

async function conversation(profile: TestProfile, contact: string): Promise<Message[]> {
  return profile.client.call("history", { contact, limit: 1_000 })
}

async function messageOf(profile: TestProfile, contact: string, id: string): Promise<Message> {
  const found = (await conversation(profile, contact)).find((message) => message.id === id)
  if (found === undefined) throw new Error(`${profile.name} has no message ${id}`)
  return found
}

/** What both see of a message, but for the time of storing and whose it is. */
const seen = ({ text, editedAt, previous, deletedAt, reactions }: Message) => ({
  text,
  editedAt,
  previous,
  deletedAt,
  reactions: reactions.map(({ emoji, at }) => ({ emoji, at })),
})

const edit = async (by: TestProfile, contact: string, id: string, text: string): Promise<Message> =>
  by.client.call("edit", { contact, id, text })
const react = async (by: TestProfile, contact: string, id: string, emoji: string | null): Promise<Message> =>
  by.client.call("react", { contact, id, emoji })
const deleteForAll = async (by: TestProfile, contact: string, id: string): Promise<unknown> =>
  by.client.call("delete", { contact, id, forAll: true })

async function expectSame(alice: TestProfile, bob: TestProfile, id: string): Promise<Message> {
  const theirs = await messageOf(bob, "alice", id)
  expect(seen(theirs)).toEqual(seen(await messageOf(alice, "bob", id)))
  return theirs
}

/** Frames to one of them are lost until this is called. */
function loses(fixture: EngineFixture, to: TestProfile): () => void {
  fixture.broker.tamper = (topic, payload) => (topic.includes(to.deviceId) ? [] : [payload])
  return () => (fixture.broker.tamper = (_topic, payload) => [payload])
}

test("Alice edits a message: both see the newest, what it said before, and find what it says now", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "lunch at noon")
  await fixture.clock.pass(100)
  expect(await edit(alice, "bob", id, "lunch at one")).toMatchObject({ text: "lunch at one", id })
  await fixture.clock.pass(100)
  await edit(alice, "bob", id, "lunch at two")
  await fixture.clock.pass(100)
  const message = await expectSame(alice, bob, id)
  expect(message).toMatchObject({ text: "lunch at two", mine: false })
  expect(message.previous.map(({ text }) => text)).toEqual(["lunch at noon", "lunch at one"])
  expect(message.editedAt).toBeGreaterThan(message.sentAt)
  for (const profile of [alice, bob]) {
    expect(await profile.client.call("search", { query: "two", limit: 9 })).toHaveLength(1)
    expect(await profile.client.call("search", { query: "noon", limit: 9 })).toEqual([])
  }
  expect(bob.events.filter(({ kind }) => kind === "changed")).toMatchObject([
    { change: "edited", message: { id, text: "lunch at one" } },
    { change: "edited", message: { id, text: "lunch at two" } },
  ])
  await bob.stop()
  await bob.start()
  expect(seen(await messageOf(bob, "alice", id))).toEqual(seen(message))
})

test("the state of a message is that of its text, whatever becomes of its changes", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "hello")
  await fixture.clock.pass(100)
  const found = loses(fixture, bob)
  await edit(alice, "bob", id, "hello!")
  await fixture.clock.pass(100)
  expect(await messageOf(alice, "bob", id)).toMatchObject({ state: "delivered", text: "hello!" })
  expect((await messageOf(bob, "alice", id)).text).toBe("hello")
  found()
  await fixture.clock.pass(HOUR_MS)
  await expectSame(alice, bob, id)
})

test("only its author edits a message or deletes it for both, and a line is nobody's", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "mine")
  await bob.client.call("timer", { contact: "alice", timerSeconds: 3_600 })
  await fixture.clock.pass(100)
  await expect(edit(bob, "alice", id, "yours")).rejects.toMatchObject({ code: "refused" })
  await expect(deleteForAll(bob, "alice", id)).rejects.toMatchObject({
    code: "refused",
    hint: `mqttchat delete ${id}`,
  })
  const line = (await conversation(bob, "alice")).find(({ kind }) => kind === "system")
  await expect(react(bob, "alice", line?.id ?? "", "👍")).rejects.toMatchObject({ code: "refused" })
  await expect(edit(alice, "bob", "00".repeat(8), "what")).rejects.toMatchObject({ code: "not-found" })
  await expect(edit(alice, "bob", id, " ")).rejects.toMatchObject({ code: "bad-data" })
  await expect(react(alice, "bob", id, "ok")).rejects.toMatchObject({ code: "bad-data" })
  expect((await expectSame(alice, bob, id)).text).toBe("mine")
})

test("Alice deletes a message for both: text, edits and reactions are gone on both sides, for good", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "zyzzogeton")
  await fixture.clock.pass(100)
  await edit(alice, "bob", id, "zyzzogeton again")
  await react(bob, "alice", id, "😱")
  await fixture.clock.pass(100)
  expect(await deleteForAll(alice, "bob", id)).toEqual({ deleted: 1, cancelled: 0 })
  await fixture.clock.pass(100)
  const message = await expectSame(alice, bob, id)
  expect(message).toMatchObject({ text: "", previous: [], reactions: [], editedAt: null })
  expect(message.deletedAt).not.toBeNull()
  for (const profile of [alice, bob]) {
    expect(await profile.client.call("search", { query: "zyzzogeton", limit: 9 })).toEqual([])
    const log = JSON.stringify(await profile.client.call("events", { since: 0, limit: 100 }))
    expect(log).not.toContain("zyzzogeton")
    expect(log).toContain('"deleted"')
  }
  await expect(edit(alice, "bob", id, "back")).rejects.toMatchObject({ code: "refused" })
  await expect(react(bob, "alice", id, "👍")).rejects.toMatchObject({ code: "refused" })
  await expect(deleteForAll(alice, "bob", id)).rejects.toMatchObject({ code: "refused" })
})

test("a quote shows what the message says now, and nothing of one that was deleted", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "zyzzogeton")
  await fixture.clock.pass(100)
  const params = { contact: "alice", text: "really?", replyTo: id, wait: "queued", timeoutMs: 0 } as const
  const { id: answer } = await bob.client.call("send", params)
  await edit(alice, "bob", id, "zyzzogeton, edited")
  await fixture.clock.pass(100)
  for (const [profile, contact] of [
    [alice, "bob"],
    [bob, "alice"],
  ] as const) {
    const { replyTo } = await messageOf(profile, contact, answer)
    expect(replyTo).toMatchObject({ id, text: "zyzzogeton, edited", changed: false })
  }
  await deleteForAll(alice, "bob", id)
  await fixture.clock.pass(100)
  for (const [profile, contact] of [
    [alice, "bob"],
    [bob, "alice"],
  ] as const) {
    expect((await messageOf(profile, contact, answer)).replyTo).toMatchObject({ id, text: null })
    const all = JSON.stringify(await conversation(profile, contact))
    expect(all).not.toContain("zyzzogeton")
  }
})

test("each reacts once: a new one replaces theirs, and none takes it away", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "I passed")
  await fixture.clock.pass(100)
  await react(bob, "alice", id, "👍")
  await react(alice, "bob", id, "😀")
  await fixture.clock.pass(100)
  await react(bob, "alice", id, "🎉")
  await fixture.clock.pass(100)
  const both = await expectSame(alice, bob, id)
  expect(both.reactions.map(({ emoji, mine }) => [emoji, mine])).toEqual([
    ["😀", false],
    ["🎉", true],
  ])
  expect((await react(bob, "alice", id, null)).reactions).toHaveLength(1)
  await fixture.clock.pass(100)
  expect((await expectSame(alice, bob, id)).reactions.map(({ emoji }) => emoji)).toEqual(["😀"])
})

test("what is so already is not sent again", async () => {
  const { fixture, alice } = await couple()
  const id = await alice.send("bob", "hi")
  await react(alice, "bob", id, "👍")
  await fixture.clock.pass(1_000)
  const sent = fixture.broker.seen.length
  await edit(alice, "bob", id, "hi")
  await react(alice, "bob", id, "👍")
  await fixture.clock.pass(1_000)
  expect(fixture.broker.seen).toHaveLength(sent)
})

test("a clock that was set back does not let an older edit win", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "one")
  await fixture.clock.pass(HOUR_MS)
  await Promise.all([edit(alice, "bob", id, "two"), edit(alice, "bob", id, "three")])
  await fixture.clock.pass(100)
  expect((await expectSame(alice, bob, id)).text).toBe("three")
  expect((await messageOf(bob, "alice", id)).previous.map(({ text }) => text)).toEqual(["one", "two"])
})

test("a lost change is asked for, and later texts come in their order", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "first")
  await fixture.clock.pass(100)
  const found = loses(fixture, bob)
  await edit(alice, "bob", id, "first!")
  await fixture.clock.pass(10)
  found()
  await alice.send("bob", "second")
  await fixture.clock.pass(2_000)
  expect(await bob.texts("alice")).toEqual(["first!", "second"])
  expect(await bob.systemMessages("alice")).toEqual([])
})

test("a change that overtakes its message waits for it", async () => {
  const { fixture, alice, bob } = await couple()
  const found = loses(fixture, bob)
  const [edited, deleted] = [await alice.send("bob", "draft"), await alice.send("bob", "regret")]
  await fixture.clock.pass(10)
  found()
  await edit(alice, "bob", edited, "final")
  await fixture.clock.pass(20)
  expect(await bob.texts("alice")).toEqual([])
  await fixture.clock.pass(HOUR_MS)
  await deleteForAll(alice, "bob", deleted)
  await fixture.clock.pass(HOUR_MS)
  expect(await bob.texts("alice")).toEqual(["final", ""])
  await expectSame(alice, bob, edited)
  await expectSame(alice, bob, deleted)
})

test("what was deleted for both before it was sent never leaves: neither the text nor its edits", async () => {
  const { fixture, alice, bob } = await couple()
  fixture.broker.close()
  const id = await alice.send("bob", "zyzzogeton")
  await edit(alice, "bob", id, "zyzzogeton, too")
  await deleteForAll(alice, "bob", id)
  const kept = await alice.send("bob", "kept")
  fixture.broker.reopen()
  await fixture.clock.pass(2 * MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["kept"])
  expect(await messageOf(alice, "bob", id)).toMatchObject({ text: "", previous: [] })
  expect(await messageOf(alice, "bob", kept)).toMatchObject({ state: "delivered" })
  expect(JSON.stringify(bob.events)).not.toContain("zyzzogeton")
})

test("a text that is cancelled, or deleted here before it was sent, takes its edits along", async () => {
  const { fixture, alice, bob } = await couple()
  fixture.broker.close()
  const cancelled = await alice.send("bob", "cancelled")
  await edit(alice, "bob", cancelled, "cancelled, edited")
  const deleted = await alice.send("bob", "deleted")
  await edit(alice, "bob", deleted, "deleted, edited")
  await alice.client.call("cancel", { contact: "bob", id: cancelled })
  await expect(edit(alice, "bob", cancelled, "again")).rejects.toMatchObject({ code: "refused" })
  expect(await alice.client.call("delete", { contact: "bob", id: deleted })).toEqual({
    deleted: 1,
    cancelled: 1,
  })
  fixture.broker.reopen()
  await fixture.clock.pass(2 * MINUTE_MS)
  await alice.send("bob", "next")
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.systemMessages("alice")).toEqual([
    "alice cancelled 1 message",
    "alice cancelled 1 message",
  ])
  expect(await bob.texts("alice")).toEqual(["next"])
  expect(JSON.stringify(bob.events)).not.toContain("d, edited")
})

test("changes that a lost session took with it are sent in the new one, after the texts, only the newest", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.send("alice", "hello yourself")
  const old = await alice.send("bob", "old")
  await fixture.clock.pass(1_000)
  const found = loses(fixture, bob)
  await edit(alice, "bob", old, "old, once")
  await edit(alice, "bob", old, "old, twice")
  await react(alice, "bob", old, "👍")
  const fresh = await alice.send("bob", "new")
  await edit(alice, "bob", fresh, "new, edited")
  await fixture.clock.pass(1_000)
  await bob.stop()
  await alice.client.call("reset", { contact: "bob" })
  await bob.start()
  found()
  await fixture.clock.pass(3 * HOUR_MS)
  expect(await bob.texts("alice")).toEqual(["old, twice", "new, edited"])
  expect((await messageOf(bob, "alice", fresh)).previous.map(({ text }) => text)).toEqual(["new"])
  expect((await messageOf(bob, "alice", old)).previous.map(({ text }) => text)).toEqual(["old"])
  expect((await messageOf(bob, "alice", old)).reactions).toHaveLength(1)
  expect((await alice.store.load()).outgoing).toEqual([])
})

test("a deletion for both gets there in a new session, even if Alice has deleted the rest here meanwhile", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.send("alice", "hello yourself")
  const id = await alice.send("bob", "regret")
  await fixture.clock.pass(1_000)
  const found = loses(fixture, bob)
  await deleteForAll(alice, "bob", id)
  await alice.client.call("delete", { contact: "bob", id })
  await fixture.clock.pass(1_000)
  await bob.stop()
  await alice.client.call("reset", { contact: "bob" })
  await bob.start()
  found()
  await fixture.clock.pass(3 * HOUR_MS)
  expect(await messageOf(bob, "alice", id)).toMatchObject({ text: "" })
})

test("a change of a process that died is on disk and gets there", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "before")
  await fixture.clock.pass(100)
  fixture.broker.close()
  await edit(alice, "bob", id, "after")
  await react(alice, "bob", id, "👍")
  await alice.crash()
  fixture.broker.reopen()
  await alice.start()
  await fixture.clock.pass(MINUTE_MS)
  expect((await expectSame(alice, bob, id)).text).toBe("after")
})

test("an edit does not start the timer again, and what disappears takes it along", async () => {
  const { fixture, alice, bob } = await couple()
  await alice.client.call("timer", { contact: "bob", timerSeconds: 3_600 })
  const id = await alice.send("bob", "soon gone")
  await fixture.clock.pass(100)
  await bob.client.call("inbox", { markRead: true })
  await fixture.clock.pass(HOUR_MS / 2)
  await edit(alice, "bob", id, "soon gone, edited")
  await react(bob, "alice", id, "👍")
  await fixture.clock.pass(HOUR_MS / 2 + MINUTE_MS)
  for (const profile of [alice, bob]) {
    expect(await profile.client.call("search", { query: "gone", limit: 9 })).toEqual([])
    expect(await profile.client.call("find", { id })).toEqual([])
  }
})

test("an edit that comes after its message disappeared leaves nothing behind", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "here for a while")
  await fixture.clock.pass(100)
  const found = loses(fixture, bob)
  await edit(alice, "bob", id, "zyzzogeton")
  await bob.client.call("delete", { contact: "alice", id })
  found()
  await fixture.clock.pass(HOUR_MS)
  expect(await bob.texts("alice")).toEqual([])
  expect(JSON.stringify(bob.events)).not.toContain("zyzzogeton")
  expect((await alice.store.load()).outgoing).toEqual([])
})

test("a blocked contact changes nothing; what they repeat applies if they are unblocked with their messages", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "before")
  await fixture.clock.pass(100)
  await bob.client.call("block", { contact: "alice", blocked: true })
  await edit(alice, "bob", id, "after")
  await react(alice, "bob", id, "👍")
  await fixture.clock.pass(MINUTE_MS)
  expect(await messageOf(bob, "alice", id)).toMatchObject({ text: "before", reactions: [] })
  await expect(react(bob, "alice", id, "👎")).rejects.toMatchObject({ code: "refused" })
  await bob.client.call("block", { contact: "alice", blocked: false, withMessages: true })
  await fixture.clock.pass(2 * HOUR_MS)
  expect((await expectSame(alice, bob, id)).text).toBe("after")
})

test("a change that is not acknowledged in 30 days is given up, and a line says so", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "hello")
  await fixture.clock.pass(100)
  loses(fixture, bob)
  await edit(alice, "bob", id, "hello!")
  await fixture.clock.pass(31 * DAY_MS)
  expect(await alice.systemMessages("bob")).toContain("an edit did NOT reach bob in 30 days")
  const { outgoing } = await alice.store.load()
  expect(outgoing.filter(({ carriesChange }) => carriesChange !== undefined)).toEqual([])
})

test("a disk that is put back gets the changes again that its peer has not seen acknowledged", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "one")
  await fixture.clock.pass(100)
  await alice.stop()
  copyFileSync(alice.path, `${alice.path}.copy`)
  await alice.start()
  await edit(alice, "bob", id, "two")
  await fixture.clock.pass(100)
  await alice.crash()
  copyFileSync(`${alice.path}.copy`, alice.path)
  await alice.start()
  await edit(alice, "bob", id, "three")
  await fixture.clock.pass(HOUR_MS)
  expect((await messageOf(bob, "alice", id)).text).toBe("three")
})
