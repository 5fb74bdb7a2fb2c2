import { createReadStream, existsSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, test } from "vitest"

import { readStream } from "../../src/keystore/sealed-stream.ts"
import { atFullCost } from "../cost.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { backUp, PASSPHRASE, restored } from "./backup-fixture.ts"
import { snapshotsIn } from "./loaded.ts"

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

async function couple(): Promise<{ fixture: EngineFixture; alice: TestProfile; bob: TestProfile }> {
  const fixture = new EngineFixture()
  const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
  await fixture.pair(alice, bob)
  await alice.send("bob", "hello")
  await fixture.clock.pass(50)
  await bob.send("alice", "hello yourself")
  await fixture.clock.pass(50)
  return { fixture, alice, bob }
}

test("[W-33] [D-35] conversations go on by themselves, queued texts arrive once, and the old laptop is notified", async () => {
  atFullCost()
  const { fixture, alice, bob } = await couple()
  fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : [payload])
  await alice.send("bob", "does this still leave?")
  await fixture.clock.pass(100)
  const path = await backUp(alice)
  await alice.stop()
  fixture.broker.tamper = (_topic, payload) => [payload]

  const laptop = await restored(fixture, "laptop", path)
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["hello", "does this still leave?"])
  expect(await laptop.texts("bob")).toEqual(["hello yourself"])
  expect(await laptop.states("bob")).toEqual(["delivered", "delivered"])
  await laptop.send("bob", "from the new one")
  await bob.send("alice", "I see no difference")
  await fixture.clock.pass(MINUTE_MS)
  expect((await bob.texts("alice")).at(-1)).toBe("from the new one")
  expect((await laptop.texts("bob")).at(-1)).toBe("I see no difference")

  // It sends only what its outbox still holds.
  await alice.start()
  await fixture.clock.pass(MINUTE_MS)
  const seen = fixture.broker.seen.length
  await fixture.clock.pass(DAY_MS)
  expect(fixture.broker.seen.length).toBe(seen)
  expect(await bob.texts("alice")).toEqual(["hello", "does this still leave?", "from the new one"])
  await expect(alice.send("bob", "and again")).rejects.toMatchObject({ code: "refused" })
  expect(await alice.systemMessages("bob")).toEqual([
    "bob now sends to another device of yours; nothing more is sent from this one. To continue here instead: mqttchat reset bob",
  ])
})

test("what arrived and was not acknowledged before the backup is shown once", async () => {
  const { fixture, alice, bob } = await couple()
  fixture.broker.tamper = (topic, payload) => (topic.includes(alice.deviceId) ? [] : [payload])
  for (const text of ["one", "two"]) await alice.send("bob", text)
  await fixture.clock.pass(100)
  const path = await backUp(alice)
  await alice.stop()
  fixture.broker.tamper = (_topic, payload) => [payload]
  const laptop = await restored(fixture, "laptop", path)
  await laptop.send("bob", "three")
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["hello", "one", "two", "three"])
  expect(new Set(await laptop.states("bob"))).toEqual(new Set(["delivered"]))
})

test("a backup keeps drafts, and what is muted and until when", async () => {
  const { fixture, alice } = await couple()
  const carol = await fixture.profile("carol")
  await fixture.pair(alice, carol)
  const until = fixture.clock.now() + DAY_MS
  await alice.client.call("set-draft", { contact: "bob", text: "to be\ncontinued" })
  await alice.client.call("mute", { contact: "bob", until: null })
  await alice.client.call("mute", { contact: "carol", until })
  const path = await backUp(alice)
  await alice.stop()
  const laptop = await restored(fixture, "laptop", path)
  expect(await laptop.client.call("conversations", {})).toMatchObject([
    { contact: "bob", draft: "to be\ncontinued", muted: true, mutedUntil: null },
    { contact: "carol", draft: "", muted: true, mutedUntil: until },
  ])
})

test("texts that wait for an earlier one are in the backup: their sender has a receipt for them", async () => {
  const { fixture, alice, bob } = await couple()
  let lost = 0
  fixture.broker.tamper = (topic, payload) =>
    topic.includes(alice.deviceId) && payload.length === 256 && lost++ === 0 ? [] : [payload]
  await bob.send("alice", "first")
  await bob.send("alice", "second")
  await fixture.clock.pass(20)
  expect(await alice.texts("bob")).toEqual(["hello yourself"])
  const path = await backUp(alice)
  await alice.stop()
  const laptop = await restored(fixture, "laptop", path)
  await fixture.clock.pass(MINUTE_MS)
  expect((await laptop.texts("bob")).toSorted()).toEqual(["first", "hello yourself", "second"])
})

test("texts written before the new laptop was first online are sent as soon as it is", async () => {
  const { fixture, alice, bob } = await couple()
  const path = await backUp(alice)
  await alice.stop()
  fixture.broker.close()
  const laptop = await restored(fixture, "laptop", path)
  for (const text of ["one", "two", "three"]) await laptop.send("bob", text)
  expect(await laptop.states("bob")).toEqual(["delivered", "queued", "queued", "queued"])
  const waiting = await laptop.client.call("outbox", {})
  expect(waiting.map(({ text, nextAt }) => ({ text, nextAt }))).toEqual([
    { text: "one", nextAt: null },
    { text: "two", nextAt: null },
    { text: "three", nextAt: null },
  ])
  await laptop.client.call("cancel", { contact: "bob", id: waiting[1]?.id ?? "" })
  fixture.broker.reopen()
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["hello", "one", "three"])
  expect(await laptop.states("bob")).toEqual(["delivered", "delivered", "cancelled", "delivered"])
  expect(await laptop.client.call("outbox", {})).toEqual([])
})

test("of two laptops from one backup the later one wins, and the other is notified", async () => {
  const { fixture, alice, bob } = await couple()
  const path = await backUp(alice)
  await alice.stop()
  const first = await restored(fixture, "first", path)
  await first.send("bob", "from the first")
  await fixture.clock.pass(MINUTE_MS)
  await bob.send("alice", "heard")
  await fixture.clock.pass(MINUTE_MS)
  const second = await restored(fixture, "second", path)
  await second.send("bob", "from the second")
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["hello", "from the first", "from the second"])
  await first.send("bob", "am I late?")
  await fixture.clock.pass(MINUTE_MS)
  await expect(first.send("bob", "I am")).rejects.toMatchObject({ code: "refused" })
  await bob.send("alice", "to the second")
  await fixture.clock.pass(MINUTE_MS)
  expect((await second.texts("bob")).at(-1)).toBe("to the second")
  expect(await first.texts("bob")).not.toContain("to the second")
})

test("the old laptop may take the conversation back, as long as the peer remembers", async () => {
  const { fixture, alice, bob } = await couple()
  const path = await backUp(alice)
  await alice.stop()
  const laptop = await restored(fixture, "laptop", path)
  await laptop.send("bob", "from the new one")
  await fixture.clock.pass(MINUTE_MS)
  await bob.send("alice", "heard")
  await fixture.clock.pass(DAY_MS)
  await alice.start()
  await alice.client.call("reset", { contact: "bob" })
  await alice.send("bob", "the new one fell into the sea")
  await fixture.clock.pass(MINUTE_MS)
  expect((await bob.texts("alice")).at(-1)).toBe("the new one fell into the sea")
})

test("both send at once: a replaced laptop does not win against the one that replaced it", async () => {
  const { fixture, alice, bob } = await couple()
  const path = await backUp(alice)
  await alice.stop()
  // Bob begins with a bundle that only the old laptop could answer, and it did not.
  await bob.client.call("reset", { contact: "alice" })
  await bob.send("alice", "are you there?")
  await fixture.clock.pass(MINUTE_MS)
  const laptop = await restored(fixture, "laptop", path)
  await laptop.send("bob", "here")
  await fixture.clock.pass(10 * MINUTE_MS)
  expect((await bob.texts("alice")).at(-1)).toBe("here")
  expect((await laptop.texts("bob")).at(-1)).toBe("are you there?")
})

test("a blocked contact stays blocked, and nothing is sent to them until they are unblocked", async () => {
  const { fixture, alice, bob } = await couple()
  await alice.client.call("block", { contact: "bob", blocked: true })
  const path = await backUp(alice)
  await alice.stop()
  const laptop = await restored(fixture, "laptop", path)
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.systemMessages("alice")).toEqual([])
  expect(laptop.events.filter(({ kind }) => kind === "notice")).toEqual([])
  await laptop.client.call("block", { contact: "bob", blocked: false })
  await laptop.send("bob", "let us make up")
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["hello", "let us make up"])
})

test("a backup holds no key of a session, is 0600, and is never written over another file", async () => {
  const { alice } = await couple()
  const path = await backUp(alice)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const again = alice.client.call("export", { path, passphrase: PASSPHRASE })
  await expect(again).rejects.toMatchObject({ code: "exists" })
  const [opening, snapshots] = [await alice.store.load(), await snapshotsIn(alice.store)]
  const sealed = await readStream(createReadStream(path), path)
  const pieces: Uint8Array[] = []
  for await (const piece of sealed.unlock(PASSPHRASE)) pieces.push(piece)
  const plain = Buffer.concat(pieces)
  const secrets = [
    ...snapshots.values(),
    ...opening.openBundles.flatMap(({ open, psk }) => [open.subarray(1402, 1434), open.subarray(1434), psk]),
    ...opening.outgoing.map(({ wire }) => wire),
  ]
  expect(secrets.length).toBeGreaterThan(2)
  for (const snapshot of snapshots.values()) {
    for (let at = 0; at + 32 <= snapshot.length; at += 32) secrets.push(snapshot.subarray(at, at + 32))
  }
  const [bob] = opening.devices
  for (const secret of secrets) {
    const isKept = [bob!.recoverySecret, bob!.key, bob!.peerInbox].some((kept) =>
      Buffer.from(kept).includes(Buffer.from(secret)),
    )
    const isBlank = secret.every((byte) => byte === 0)
    if (!isKept && !isBlank) expect(plain.includes(Buffer.from(secret))).toBe(false)
  }
})

test("an empty passphrase is refused", async () => {
  const { alice } = await couple()
  const path = join(dirname(alice.path), "unlocked")
  const asked = alice.client.call("export", { path, passphrase: "" })
  await expect(asked).rejects.toMatchObject({ code: "usage" })
  expect(existsSync(path)).toBe(false)
})

test.each([
  [29, 1],
  [31, 0],
])(
  "an old laptop that comes back after %i days learns %i times that it was replaced",
  async (days, reports) => {
    const { fixture, alice, bob } = await couple()
    const path = await backUp(alice)
    await alice.stop()
    const laptop = await restored(fixture, "laptop", path)
    await laptop.send("bob", "from the new one")
    await fixture.clock.pass(MINUTE_MS)
    fixture.clock.suspend(days * DAY_MS)
    await alice.start()
    await alice.send("bob", "is anybody there?")
    await fixture.clock.pass(1_000)
    const moved = (await alice.systemMessages("bob")).filter((line) =>
      line.includes("to another device of yours"),
    )
    expect(moved).toHaveLength(reports)
    expect(await bob.texts("alice")).not.toContain("is anybody there?")
  },
)
