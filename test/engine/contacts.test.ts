import { randomBytes } from "node:crypto"

import { describe, expect, onTestFinished, test } from "vitest"

import type { Event } from "../../src/engine/api.ts"
import type { Write } from "../../src/store/records.ts"
import { openStore } from "../../src/store/store.ts"
import { freshPath } from "../store/store-fixture.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"

async function names(profile: TestProfile): Promise<string[]> {
  return (await profile.client.call("contacts", {})).map(({ name }) => name)
}

function paired(profile: TestProfile): Extract<Event, { kind: "paired" }>[] {
  return profile.events.filter((event) => event.kind === "paired")
}

describe("names", () => {
  test("two people called Alice stand side by side, and the second one's new name is told", async () => {
    const fixture = new EngineFixture()
    const bob = await fixture.profile("bob")
    await fixture.pair(bob, await fixture.profile("Alice"))
    await fixture.pair(bob, await fixture.profile("alice"))
    await fixture.pair(await fixture.profile("ALICE"), bob)
    expect(await names(bob)).toEqual(["Alice", "alice-2", "ALICE-3"])
    expect(paired(bob).map(({ renamedFrom }) => renamedFrom)).toEqual([null, "alice", "ALICE"])
  })

  test("a near miss of a name is helped, in any case of letters", async () => {
    const fixture = new EngineFixture()
    const bob = await fixture.profile("bob")
    await fixture.pair(bob, await fixture.profile("alice"))
    await expect(bob.send("alcie", "hi")).rejects.toMatchObject({
      code: "not-found",
      hint: "did you mean alice? mqttchat contacts",
    })
    await expect(bob.send("zebedee", "hi")).rejects.toMatchObject({ hint: "mqttchat contacts" })
    await bob.send("ALICE", "hi")
  })

  test("a stranger's name is cleaned before it becomes a label", async () => {
    const fixture = new EngineFixture()
    const bob = await fixture.profile("bob")
    await fixture.pair(bob, await fixture.profile("ev\u001b[31mil\u202e"))
    const [name = ""] = await names(bob)
    expect(name).toBe("ev␛[31mil<U+202E>")
  })

  test("a contact is renamed, but not to a name that is taken or empty", async () => {
    const fixture = new EngineFixture()
    const bob = await fixture.profile("bob")
    await fixture.pair(bob, await fixture.profile("alice"))
    await fixture.pair(bob, await fixture.profile("carol"))
    expect(await bob.client.call("rename", { contact: "alice", name: "Al" })).toMatchObject({ name: "Al" })
    await expect(bob.client.call("rename", { contact: "Al", name: "Carol" })).rejects.toMatchObject({
      code: "exists",
    })
    await expect(bob.client.call("rename", { contact: "Al", name: "\u200b " })).rejects.toMatchObject({
      code: "usage",
    })
    expect(await names(bob)).toEqual(["Al", "carol"])
  })

  test("Mallory, who looks like bob with a Cyrillic letter, gets a number, and the conversation says why", async () => {
    const fixture = new EngineFixture()
    const alice = await fixture.profile("alice")
    await fixture.pair(alice, await fixture.profile("bob"))
    await fixture.pair(alice, await fixture.profile("b\u043eb"))
    await fixture.pair(await fixture.profile("bob\u200d"), alice)
    expect(await names(alice)).toEqual(["bob", "b\u043eb-2", "bob\u200d-3"])
    expect(paired(alice).map(({ renamedFrom, confusableWith }) => [renamedFrom, confusableWith])).toEqual([
      [null, null],
      ["b\u043eb", "bob"],
      ["bob\u200d", "bob"],
    ])
    for (const contact of ["b\u043eb-2", "bob\u200d-3"]) {
      const [line] = await alice.client.call("history", { contact, limit: 10 })
      expect(line?.kind).toBe("system")
      expect(line?.text).toContain("looks like your contact bob")
    }
  })

  test("Mallory, who calls herself me, is not taken for us, and one who is not seen gets a placeholder", async () => {
    const fixture = new EngineFixture()
    const alice = await fixture.profile("alice")
    await fixture.pair(alice, await fixture.profile("me"))
    await fixture.pair(await fixture.profile("-you:"), alice)
    await fixture.pair(alice, await fixture.profile("\u3164\u200d"))
    const [me, you, unseen] = await names(alice)
    expect([me, you]).toEqual(["me-2", "you-2"])
    expect(unseen).toMatch(/^unnamed-[0-9a-f]{8}$/)
    const [line] = await alice.client.call("history", { contact: "me-2", limit: 10 })
    expect(line).toMatchObject({
      text: "they call themselves me, which has a meaning of its own here: here they are me-2",
    })
    expect(paired(alice)[0]).toMatchObject({ renamedFrom: "me", confusableWith: null })
  })

  test("we cannot give a contact a name with a meaning of its own, and one that looks like another's gets a number", async () => {
    const fixture = new EngineFixture()
    const bob = await fixture.profile("bob")
    await fixture.pair(bob, await fixture.profile("alice"))
    await fixture.pair(bob, await fixture.profile("carol"))
    const rename = (name: string) => bob.client.call("rename", { contact: "carol", name })
    for (const name of ["me", "m\u0435", "Info", "carol:", "-c"])
      await expect(rename(name), name).rejects.toMatchObject({ code: "usage", hint: "choose another" })
    expect(await rename("a1ice")).toMatchObject({ name: "a1ice-2" })
    expect(await names(bob)).toEqual(["alice", "a1ice-2"])
  })

  test("a long name of ours travels cut between characters", async () => {
    const fixture = new EngineFixture()
    const bob = await fixture.profile("bob")
    await fixture.pair(bob, await fixture.profile("ä".repeat(40)))
    expect(await names(bob)).toEqual(["ä".repeat(32)])
  })
})

test("both sides compare the same words and the same safety number, and remember that they did", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  const seenByAlice = await alice.client.call("verify", { contact: "bob" })
  const seenByBob = await bob.client.call("verify", { contact: "alice" })
  expect(seenByAlice.words).toHaveLength(4)
  expect(seenByAlice.words).toEqual(seenByBob.words)
  expect(seenByAlice.safetyNumber).toEqual(seenByBob.safetyNumber)
  expect(paired(alice)[0]?.words).toEqual([])
  expect(paired(bob)[0]?.words).toEqual(seenByAlice.words)
  await alice.client.call("mark-verified", { contact: "bob", verified: true })
  expect((await alice.client.call("contacts", {}))[0]?.verified).toBe(true)
})

test("both become established: the owner when the other side speaks on its second chain", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await fixture.clock.pass(100)
  const state = async (profile: TestProfile) => (await profile.client.call("contacts", {}))[0]?.state
  expect(await state(alice)).toBe("established")
  expect(await state(bob)).toBe("established")
})

test("whoever answers a file has the contact under the name in it, before its owner comes online", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  const offer = await alice.client.call("pair-offer", { kind: "file", wordCount: 2 })
  if (offer.kind !== "file") throw new Error("not a file")
  await alice.stop()
  const { contact } = await bob.client.call("pair-answer", { kind: "file", offer: offer.file })
  expect(contact).toMatchObject({ state: "init-sent", name: "alice" })
  await bob.send(contact.name, "are you there?")
  await alice.start()
  await fixture.clock.pass(3_600_000)
  expect(await names(bob)).toEqual(["alice"])
  expect(await alice.texts("bob")).toEqual(["are you there?"])
})

test("pairing again with a known peer refreshes it: one contact, its name and history, and nothing lost", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await alice.send("bob", "old times")
  await fixture.clock.pass(50)
  await alice.client.call("rename", { contact: "bob", name: "Bobby" })
  fixture.broker.tamper = () => []
  await alice.send("Bobby", "lost with the old session")
  await fixture.clock.pass(50)
  fixture.broker.tamper = (_topic, payload) => [payload]
  await fixture.pair(alice, bob)
  await fixture.clock.pass(3_600_000)
  expect(await names(alice)).toEqual(["Bobby"])
  expect(await names(bob)).toEqual(["alice"])
  expect(paired(alice).map(({ known }) => known)).toEqual([false, true])
  expect(paired(bob).map(({ known }) => known)).toEqual([false, true])
  expect(await bob.texts("alice")).toEqual(["old times", "lost with the old session"])
  expect(await alice.states("Bobby")).toEqual(["delivered", "delivered"])
  await bob.send("alice", "new times")
  await fixture.clock.pass(50)
  expect(await alice.texts("Bobby")).toEqual(["new times"])
})

test("a forgotten contact is gone with all its messages, and can be paired anew", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await bob.send("alice", "my secret recipe")
  await fixture.clock.pass(50)
  await alice.client.call("forget", { contact: "bob" })
  expect(await names(alice)).toEqual([])
  expect(await alice.client.call("search", { query: "recipe", limit: 10 })).toEqual([])
  await bob.send("alice", "still there?")
  await fixture.clock.pass(50)
  expect(await alice.client.call("inbox", { markRead: false })).toEqual([])
  await fixture.pair(alice, bob)
  await fixture.clock.pass(3_600_000)
  expect(await alice.texts("bob")).toContain("still there?")
})

describe("a contact that is forgotten in the middle of a step leaves nothing to write about", () => {
  /** Alice, why her store refused commits, and what is to run once at each of two points. */
  async function alicePairedWithBob() {
    const fixture = new EngineFixture()
    const refused: unknown[] = []
    const store = await openStore(freshPath(), new Uint8Array(32))
    onTestFinished(() => store.close())
    const hooks = new Map<"frame" | "verified", () => void>()
    const runOnce = (point: "frame" | "verified") => {
      const run = hooks.get(point)
      hooks.delete(point)
      run?.()
    }
    const commit = async (writes: readonly Write[]) => {
      const report = await store.commit(writes).catch((fault: unknown) => {
        refused.push(fault)
        throw fault
      })
      if (writes.some((write) => write.kind === "contact" && write.contact.verified)) runOnce("verified")
      return report
    }
    const alice = await fixture.profile("alice", {
      store: { ...store, commit },
      reach: (point) => point === "receive-committed" && runOnce("frame"),
    })
    await fixture.pair(alice, await fixture.profile("bob"))
    await fixture.clock.pass(50)
    return { fixture, alice, refused, store, hooks }
  }

  test("a strange frame in their name", async () => {
    const { fixture, alice, refused, store, hooks } = await alicePairedWithBob()
    const { topic } = fixture.broker.seen.findLast(({ topic }) => topic.includes(alice.deviceId))!
    const forgotten = new Promise((resolve) => {
      hooks.set("frame", () => resolve(alice.client.call("forget", { contact: "bob" })))
    })
    fixture.broker.inject(topic, randomBytes(256))
    await fixture.clock.pass(1_000)
    expect(await forgotten).toBeNull()
    expect(refused).toEqual([])
    expect((await store.load()).deviceParts).toEqual(new Map())
  })

  test("texts that are to be sent again after a comparison", async () => {
    const { fixture, alice, refused, store, hooks } = await alicePairedWithBob()
    const forgotten = new Promise((resolve) => {
      hooks.set("verified", () => resolve(alice.client.call("forget", { contact: "bob" })))
    })
    await alice.client.call("mark-verified", { contact: "bob", verified: true })
    await fixture.clock.pass(1_000)
    expect(await forgotten).toBeNull()
    expect(refused).toEqual([])
    expect((await store.load()).deviceParts).toEqual(new Map())
  })
})

test("an offer of one's own is refused", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const offer = await alice.client.call("pair-offer", { kind: "file", wordCount: 2 })
  if (offer.kind !== "file") throw new Error("not a file")
  await expect(alice.client.call("pair-answer", { kind: "file", offer: offer.file })).rejects.toMatchObject({
    code: "refused",
  })
  expect(await names(alice)).toEqual([])
})

test("a file that is used twice lets in only the first", async () => {
  const fixture = new EngineFixture()
  const [alice, bob, mallory] = await Promise.all(
    ["alice", "bob", "mallory"].map((name) => fixture.profile(name)),
  )
  if (!alice || !bob || !mallory) throw new Error("somebody is missing")
  const offer = await alice.client.call("pair-offer", { kind: "file", wordCount: 2 })
  if (offer.kind !== "file") throw new Error("not a file")
  await bob.client.call("pair-answer", { kind: "file", offer: offer.file })
  await fixture.clock.pass(100)
  await mallory.client.call("pair-answer", { kind: "file", offer: offer.file })
  await fixture.clock.pass(3_600_000)
  expect(await names(alice)).toEqual(["bob"])
  expect((await mallory.client.call("contacts", {}))[0]?.state).toBe("init-sent")
})
