import { randomBytes } from "node:crypto"
import { expect, test } from "vitest"
import type { Frame } from "../../src/wire/frame.ts"
import { DAY_MS, HOUR_MS } from "../../src/time-units.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { hostileContact } from "./hostile-contact.ts"

const TEXTS = Array.from({ length: 12 }, (_, n) => `text ${n}`)
const NOTICE = /^more came than a contact that you have not verified may send/

async function pair(unverifiedLimits: {
  perHour: number
  bytes: number
}): Promise<{ fixture: EngineFixture; alice: TestProfile; bob: TestProfile }> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice", { unverifiedLimits: () => unverifiedLimits })
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await fixture.clock.pass(50)
  return { fixture, alice, bob }
}

async function noticesOf(profile: TestProfile, about: string): Promise<string[]> {
  return (await profile.systemMessages(about)).filter((text) => NOTICE.test(text))
}

const textOf = (text: string): Frame => {
  return { kind: "text", id: randomBytes(8), time: 1, text: new TextEncoder().encode(text) }
}

test("what bob sends beyond the limit of an hour waits with him, and comes later, in order, told in one line [D-26]", async () => {
  const { fixture, alice, bob } = await pair({ perHour: 5, bytes: 1_000_000 })
  for (const text of TEXTS) await bob.send("alice", text)
  await fixture.clock.pass(60_000)
  expect(await alice.texts("bob")).toEqual(TEXTS.slice(0, 5))
  expect(await noticesOf(alice, "bob")).toEqual([expect.stringContaining("once you have verified them")])
  expect((await bob.states("alice")).filter((state) => state === "delivered")).toHaveLength(5)
  await fixture.clock.pass(DAY_MS)
  expect(await alice.texts("bob")).toEqual(TEXTS)
  expect(new Set(await bob.states("alice"))).toEqual(new Set(["delivered"]))
  expect(await noticesOf(alice, "bob")).toHaveLength(1)
})

test("a start in between makes room for nothing, and tells nothing again [D-26]", async () => {
  const { fixture, alice, bob } = await pair({ perHour: 5, bytes: 1_000_000 })
  for (const text of TEXTS.slice(0, 8)) await bob.send("alice", text)
  await fixture.clock.pass(60_000)
  await alice.stop()
  await alice.start()
  for (const text of TEXTS.slice(8)) await bob.send("alice", text)
  await fixture.clock.pass(60_000)
  expect(await alice.texts("bob")).toEqual(TEXTS.slice(0, 5))
  expect(await noticesOf(alice, "bob")).toHaveLength(1)
})

test("what comes together with the first frame of a contact is bounded as well [D-26]", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice", { unverifiedLimits: () => ({ perHour: 5, bytes: 1_000_000 }) })
  const bob = await fixture.profile("bob")
  const offer = await alice.client.call("pair-offer", { kind: "file", wordCount: 2 })
  if (offer.kind !== "file") throw new Error("not a file")
  await alice.stop()
  await bob.client.call("pair-answer", { kind: "file", offer: offer.file })
  for (const text of TEXTS) await bob.send("alice", text)
  await fixture.clock.pass(1_000)
  await alice.start()
  await fixture.clock.pass(60_000)
  expect(await alice.texts("bob")).toEqual(TEXTS.slice(0, 5))
  expect(await noticesOf(alice, "bob")).toHaveLength(1)
})

test("no limit holds once the contact is verified [D-26]", async () => {
  const { fixture, alice, bob } = await pair({ perHour: 5, bytes: 1_000_000 })
  for (const text of TEXTS) await bob.send("alice", text)
  await fixture.clock.pass(60_000)
  await alice.client.call("mark-verified", { contact: "bob", verified: true })
  await fixture.clock.pass(HOUR_MS / 2)
  expect(await alice.texts("bob")).toEqual(TEXTS)
})

test("what one contact leaves on the disk is bounded, until messages of theirs are gone [D-26]", async () => {
  const { fixture, alice, bob } = await pair({ perHour: 1_000, bytes: 2_500 })
  await alice.client.call("timer", { contact: "bob", timerSeconds: 7_200 })
  await fixture.clock.pass(1_000)
  const long = TEXTS.slice(0, 4).map((text) => text.padEnd(1_000))
  for (const text of long) await bob.send("alice", text)
  await fixture.clock.pass(60_000)
  expect(await alice.texts("bob")).toEqual(long.slice(0, 2))
  expect(await noticesOf(alice, "bob")).toHaveLength(1)
  await alice.client.call("inbox", { markRead: true })
  await fixture.clock.pass(DAY_MS)
  expect(await alice.texts("bob")).toEqual(long.slice(2))
  expect(await bob.states("alice")).toEqual([])
})

test("Eve's lines about timers, texts that wait for others and noise count as her texts do [D-26]", async () => {
  const { fixture, eve, bob, injects } = await hostileContact({ perHour: 6, bytes: 1_000_000 })
  for (let n = 0; n < 20; n++) injects({ kind: "timer", seconds: n + 10, setAt: fixture.clock.now() + n })
  for (let n = 0; n < 20; n++) injects(textOf(`behind ${n}`), { kind: "number", number: 10 + n })
  await fixture.clock.pass(60_000)
  expect(eve.name).toBe("eve")
  const lines = (await bob.systemMessages("eve")).filter((text) => !NOTICE.test(text))
  const held = (await bob.store.load()).held.length
  expect(lines.length + held + (await bob.texts("eve")).length).toBeLessThanOrEqual(6)
  expect(await noticesOf(bob, "eve")).toHaveLength(1)
})

test("numbers without a text, each of which is kept for weeks, count as texts do [D-26] [D-60]", async () => {
  const { fixture, bob, injects } = await hostileContact({ perHour: 6, bytes: 1_000_000 })
  const from = fixture.broker.seen.length
  for (let n = 1; n <= 20; n++) injects({ kind: "number", number: n })
  await fixture.clock.pass(60_000)
  expect(fixture.broker.seen.length).toBeGreaterThan(from)
  const [eve] = (await bob.store.load()).contacts
  const { times } = await bob.store.receivedFrom(eve!.id, 0)
  expect(times.length).toBeLessThanOrEqual(7)
  expect(await noticesOf(bob, "eve")).toHaveLength(1)
})

test("with many refused, what follows is not taken for a lost state [D-26] [D-30]", async () => {
  const { fixture, bob, injects } = await hostileContact({ perHour: 2, bytes: 1_000_000 })
  for (let n = 1; n < 1_200; n++) injects(textOf(`text ${n}`), { kind: "number", number: n })
  await fixture.clock.pass(60_000)
  expect(await bob.texts("eve")).toEqual(["hello", "text 1"])
  expect((await bob.client.call("contacts", {}))[0]?.state).toBe("established")
})
