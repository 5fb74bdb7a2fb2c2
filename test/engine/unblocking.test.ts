import { copyFileSync, existsSync, rmSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/time-units.ts"
import { couple, EngineFixture, type TestProfile } from "./engine-fixture.ts"

const LEFT_OUT = "what alice sent while you had blocked them was left out"

async function blocks(bob: TestProfile): Promise<void> {
  await bob.client.call("block", { contact: "alice", blocked: true })
}

async function unblocks(bob: TestProfile, withMessages = false): Promise<void> {
  await bob.client.call("block", {
    contact: "alice",
    blocked: false,
    ...(withMessages && { withMessages }),
  })
}

/** Alice writes `during` while Bob has blocked her. */
async function blockedFor(
  during: readonly string[],
): Promise<{ fixture: EngineFixture; alice: TestProfile; bob: TestProfile }> {
  const pair = await couple()
  const { fixture, alice, bob } = pair
  await alice.send("bob", "before")
  await fixture.clock.pass(100)
  await blocks(bob)
  for (const text of during) await alice.send("bob", text)
  await fixture.clock.pass(3 * HOUR_MS)
  return pair
}

/** Texts and changes that wait for a receipt. */
const outgoingOf = async (alice: TestProfile) =>
  (await alice.store.load()).outgoing.filter(
    ({ carries, carriesChange }) => carries !== undefined || carriesChange !== undefined,
  ).length

describe("what was written while its author was blocked [D-143]", () => {
  test("is left out, and one line says so; newer texts come in their order, and its author's outbox ends", async () => {
    const { fixture, alice, bob } = await blockedFor(["one", "two", "three"])
    await unblocks(bob)
    for (const text of ["four", "five"]) await alice.send("bob", text)
    await fixture.clock.pass(1_000)
    expect(await outgoingOf(alice)).toBe(0)
    expect(await bob.texts("alice")).toEqual(["before", "four", "five"])
    expect(await bob.systemMessages("alice")).toEqual([LEFT_OUT])
    expect(new Set(await alice.states("bob"))).toEqual(new Set(["delivered"]))
  })

  test("is shown if the person wants it, before what is newer, whatever comes first", async () => {
    const { fixture, alice, bob } = await blockedFor(["one", "two", "three"])
    await unblocks(bob, true)
    await alice.send("bob", "four")
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await bob.texts("alice")).toEqual(["before", "one", "two", "three", "four"])
    expect(await bob.systemMessages("alice")).toEqual([])
  })

  test("says nothing where nothing was written", async () => {
    const { fixture, alice, bob } = await blockedFor([])
    await unblocks(bob)
    await alice.send("bob", "hello")
    await fixture.clock.pass(HOUR_MS)
    expect(await bob.texts("alice")).toEqual(["before", "hello"])
    expect(await bob.systemMessages("alice")).toEqual([])
  })

  test.each([
    ["the newest first", () => (payloads: Uint8Array[]) => payloads.toReversed()],
    ["each of them twice", () => (payloads: Uint8Array[]) => payloads.flatMap((each) => [each, each])],
  ])("stays out when it comes late: %s", async (_, order) => {
    const { fixture, alice, bob } = await blockedFor([])
    const late: { topic: string; payload: Uint8Array }[] = []
    fixture.broker.tamper = (topic, payload) => {
      if (!topic.includes(bob.deviceId)) return [payload]
      late.push({ topic, payload })
      return []
    }
    for (const text of ["one", "two"]) await alice.send("bob", text)
    await fixture.clock.pass(100)
    await alice.client.call("catch-up", {})
    const kept = late.splice(0)
    await unblocks(bob)
    await fixture.clock.pass(100)
    fixture.broker.tamper = (_topic, payload) => [payload]
    await alice.send("bob", "three")
    await fixture.clock.pass(100)
    const topic = kept[0]!.topic
    for (const payload of order()(kept.map((each) => each.payload))) fixture.broker.inject(topic, payload)
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await bob.texts("alice")).toEqual(["before", "three"])
    expect(await bob.systemMessages("alice")).toEqual([LEFT_OUT])
    expect(await outgoingOf(alice)).toBe(0)
  })

  test("stays out when both were away, and also after a new session", async () => {
    const { fixture, alice, bob } = await blockedFor(["one", "two"])
    await alice.stop()
    await unblocks(bob)
    await bob.stop()
    await fixture.clock.pass(DAY_MS)
    await bob.start()
    await bob.client.call("reset", { contact: "alice" })
    await alice.start()
    await fixture.clock.pass(MINUTE_MS)
    await alice.send("bob", "three")
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await bob.texts("alice")).toEqual(["before", "three"])
    expect(await bob.systemMessages("alice")).toContain(LEFT_OUT)
    expect(await outgoingOf(alice)).toBe(0)
  })

  test("is no text that its author wrote after the unblock and before they heard of it", async () => {
    const { fixture, alice, bob } = await blockedFor(["one"])
    fixture.broker.disconnect(alice.deviceId)
    await unblocks(bob)
    await fixture.clock.pass(10)
    await alice.send("bob", "two")
    await alice.stop()
    await alice.start()
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await bob.texts("alice")).toEqual(["before", "two"])
    expect(await bob.systemMessages("alice")).toEqual([LEFT_OUT])
  })

  test.each([
    ["ahead", 5 * DAY_MS],
    ["behind", -5 * DAY_MS],
  ])("is known also if its author's clock is %s, and what comes after is shown", async (_, off) => {
    const fixture = new EngineFixture()
    const alice = await fixture.profile("alice", { wallClock: () => fixture.clock.now() + off })
    const bob = await fixture.profile("bob")
    await fixture.pair(alice, bob)
    await alice.send("bob", "before")
    await fixture.clock.pass(100)
    await blocks(bob)
    await alice.send("bob", "one")
    await fixture.clock.pass(HOUR_MS)
    await unblocks(bob)
    for (const text of ["two", "three"]) {
      await alice.send("bob", text)
      await fixture.clock.pass(1_000)
    }
    expect(await bob.texts("alice")).toEqual(["before", "two", "three"])
    expect(await bob.systemMessages("alice")).toEqual([LEFT_OUT])
  })

  test("also edits and reactions; a deletion counts, for it brings nothing", async () => {
    const { fixture, alice, bob } = await couple()
    const edited = await alice.send("bob", "edited")
    const deleted = await alice.send("bob", "deleted")
    await fixture.clock.pass(100)
    await blocks(bob)
    await alice.client.call("edit", { contact: "bob", id: edited, text: "an insult" })
    await alice.client.call("react", { contact: "bob", id: edited, emoji: "👎" })
    await alice.client.call("delete", { contact: "bob", id: deleted, forAll: true })
    await fixture.clock.pass(HOUR_MS)
    await unblocks(bob)
    await fixture.clock.pass(2 * HOUR_MS)
    const seen = (await bob.read("alice")).map(({ text, reactions, deletedAt }) => [
      text,
      reactions.length,
      deletedAt !== null,
    ])
    expect(seen).toEqual([
      ["edited", 0, false],
      ["", 0, true],
    ])
    expect(await bob.systemMessages("alice")).toEqual([LEFT_OUT])
    expect(await outgoingOf(alice)).toBe(0)
  })

  test("that its author has cancelled meanwhile is no line, and no gap", async () => {
    const { fixture, alice, bob } = await blockedFor(["one", "two"])
    const [entry] = await alice.client.call("outbox", {})
    await alice.client.call("cancel", { contact: "bob", id: entry!.id })
    await fixture.clock.pass(100)
    await unblocks(bob)
    await alice.send("bob", "three")
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await bob.texts("alice")).toEqual(["before", "three"])
    expect(await bob.systemMessages("alice")).toEqual([LEFT_OUT])
  })

  test("is told once for each block", async () => {
    const { fixture, alice, bob } = await blockedFor(["one"])
    for (const text of ["two", "three"]) {
      await unblocks(bob)
      await fixture.clock.pass(HOUR_MS)
      await blocks(bob)
      await alice.send("bob", text)
      await fixture.clock.pass(MINUTE_MS)
    }
    await bob.stop()
    await bob.start()
    await unblocks(bob)
    await unblocks(bob)
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await bob.texts("alice")).toEqual(["before"])
    expect(await bob.systemMessages("alice")).toEqual([LEFT_OUT, LEFT_OUT, LEFT_OUT])
  })

  test("a hundred texts, of which more than one frame can ask for", async () => {
    const during = Array.from({ length: 100 }, (_, at) => `text ${at}`)
    const { fixture, alice, bob } = await blockedFor(during)
    await unblocks(bob)
    await alice.send("bob", "after")
    await fixture.clock.pass(MINUTE_MS)
    expect(await bob.texts("alice")).toEqual(["before", "after"])
    expect(await outgoingOf(alice)).toBe(0)
    await blocks(bob)
    for (const text of during) await alice.send("bob", text)
    await unblocks(bob, true)
    await alice.send("bob", "last")
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await bob.texts("alice")).toEqual(["before", "after", ...during, "last"])
  })

  test.each(["alice", "bob"])(
    "stays out when a lost store has it sent again, behind newer texts too, by a reset of %s",
    async (who) => {
      const { fixture, alice, bob } = await couple()
      const before = await alice.send("bob", "before")
      await fixture.clock.pass(100)
      await blocks(bob)
      for (const text of ["one", "two"]) await alice.send("bob", text)
      await alice.client.call("edit", { contact: "bob", id: before, text: "an insult" })
      await alice.client.call("react", { contact: "bob", id: before, emoji: "👎" })
      await fixture.clock.pass(3 * HOUR_MS)
      await unblocks(bob)
      await fixture.clock.pass(HOUR_MS)
      const rollBack = await copyOf(bob)
      const three = await alice.send("bob", "three")
      await alice.send("bob", "four")
      await alice.client.call("react", { contact: "bob", id: three, emoji: "👍" })
      await fixture.clock.pass(1_000)
      await rollBack()
      if (who === "alice") await alice.client.call("reset", { contact: "bob" })
      else await bob.client.call("reset", { contact: "alice" })
      await alice.send("bob", "five")
      await fixture.clock.pass(HOUR_MS)
      const seen = (await bob.read("alice")).map(({ text, reactions }) => `${text} ${reactions.length}`)
      expect(seen.toSorted()).toEqual(["before 0", "five 0", "four 0", "three 1"])
    },
  )
})

/** The way back to the store as it is now. */
async function copyOf(bob: TestProfile): Promise<() => Promise<void>> {
  const copy = `${bob.path}.copy`
  await bob.stop()
  copyFileSync(bob.path, copy)
  await bob.start()
  return async () => {
    await bob.crash()
    if (existsSync(`${bob.path}-wal`)) rmSync(`${bob.path}-wal`)
    copyFileSync(copy, bob.path)
    await bob.start()
  }
}
