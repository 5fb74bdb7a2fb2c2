import { expect, test } from "vitest"

import { DAY_MS } from "../../src/time-units.ts"
import { couple, type TestProfile } from "./engine-fixture.ts"

const LATE = "a message to bob had arrived after all"

test("[D-61] a cancelled text that had arrived is corrected by its receipt, and the person is told once", async () => {
  const { fixture, alice, bob } = await couple()
  // Bob gets it; his receipts come late.
  const receipts: { topic: string; payload: Uint8Array }[] = []
  fixture.broker.tamper = (topic, payload) => {
    if (!topic.includes(alice.deviceId)) return [payload]
    receipts.push({ topic, payload })
    return []
  }
  const id = await alice.send("bob", "on second thought")
  await fixture.clock.pass(100)
  await alice.client.call("cancel", { contact: "bob", id })
  expect(await alice.states("bob")).toEqual(["cancelled"])
  await alice.stop()
  await alice.start()
  fixture.broker.tamper = (_topic, payload) => [payload]
  for (const { topic, payload } of receipts) fixture.broker.inject(topic, payload)
  await fixture.clock.pass(100)
  expect(await alice.states("bob")).toEqual(["delivered"])
  expect(await alice.systemMessages("bob")).toEqual([LATE])
  const states = alice.events.flatMap((event) => (event.kind === "receipt" ? [event.state] : []))
  expect(states).toEqual(["broker", "cancelled", "delivered"])
  expect(await bob.texts("alice")).toEqual(["on second thought"])
})

test("[D-61] a text that was given up after 30 days and is read later is read", async () => {
  const { fixture, alice, bob } = await couple()
  const privacy = { readReceipts: true, typingIndicators: false, receiptDelayMs: 0 }
  await bob.client.call("privacy", { contact: "alice", ...privacy })
  await bob.stop()
  await alice.send("bob", "are you there?")
  await fixture.clock.pass(1_000)
  const held: { topic: string; payload: Uint8Array }[] = []
  fixture.broker.tamper = (topic, payload) => {
    if (!topic.includes(bob.deviceId)) return [payload]
    held.push({ topic, payload })
    return []
  }
  await fixture.clock.pass(31 * DAY_MS)
  expect(await alice.states("bob")).toEqual(["given-up"])
  fixture.broker.tamper = (_topic, payload) => [payload]
  await bob.start()
  await fixture.clock.pass(60_000)
  expect(await bob.texts("alice")).toEqual(["are you there?"])
  expect(await alice.states("bob")).toEqual(["delivered"])
  await bob.client.call("inbox", { markRead: true })
  await fixture.clock.pass(60_000)
  expect(await alice.states("bob")).toEqual(["read"])
  expect((await alice.systemMessages("bob")).filter((line) => line === LATE)).toHaveLength(1)
})

test("[D-61] a text that is cancelled while it waits for a new session had arrived in the old one", async () => {
  const { fixture, alice, bob } = await couple()
  const privacy = { readReceipts: true, typingIndicators: false, receiptDelayMs: 0 }
  await bob.client.call("privacy", { contact: "alice", ...privacy })
  fixture.broker.tamper = (topic, payload) => (topic.includes(alice.deviceId) ? [] : [payload])
  const id = await alice.send("bob", "it arrived")
  await fixture.clock.pass(100)
  // Her own INIT waits: the text is not sealed again before he has answered it.
  fixture.broker.tamper = () => []
  await alice.client.call("edit", { contact: "bob", id, text: "it arrived, edited" })
  await alice.client.call("reset", { contact: "bob" })
  await fixture.clock.pass(100)
  await alice.client.call("cancel", { contact: "bob", id })
  const later = await alice.send("bob", "later").catch(() => undefined)
  if (later !== undefined) await alice.client.call("cancel", { contact: "bob", id: later })
  await alice.stop()
  await alice.start()
  fixture.broker.tamper = (_topic, payload) => [payload]
  await fixture.clock.pass(600_000)
  expect(await bob.texts("alice")).toEqual(["it arrived"])
  await bob.client.call("inbox", { markRead: true })
  await fixture.clock.pass(600_000)
  const [state] = await alice.states("bob")
  expect(state).toBe("read")
  expect(await bob.texts("alice")).toEqual(["it arrived, edited"])
  expect((await alice.systemMessages("bob")).filter((line) => line === LATE)).toHaveLength(1)
})

test("[D-97] a text that was deleted for both is cancelled, and delivered when its receipt comes after all", async () => {
  const { fixture, alice, bob } = await couple()
  fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : [payload])
  const lost = await alice.send("bob", "never there")
  await fixture.clock.pass(100)
  await alice.client.call("delete", { contact: "bob", id: lost, forAll: true })
  expect((await alice.states("bob")).at(-1)).toBe("cancelled")
  fixture.broker.tamper = (_topic, payload) => [payload]
  await fixture.clock.pass(120_000)
  expect((await alice.states("bob")).at(-1)).toBe("cancelled")

  const receipts: { topic: string; payload: Uint8Array }[] = []
  fixture.broker.tamper = (topic, payload) => {
    if (!topic.includes(alice.deviceId)) return [payload]
    receipts.push({ topic, payload })
    return []
  }
  const arrived = await alice.send("bob", "there")
  await fixture.clock.pass(100)
  await alice.client.call("delete", { contact: "bob", id: arrived, forAll: true })
  expect((await alice.states("bob")).at(-1)).toBe("cancelled")
  fixture.broker.tamper = (_topic, payload) => [payload]
  for (const { topic, payload } of receipts) fixture.broker.inject(topic, payload)
  await fixture.clock.pass(120_000)
  expect((await bob.texts("alice")).at(-1)).toBe("")
  expect((await alice.states("bob")).at(-1)).toBe("delivered")
})

const forAll = async (alice: TestProfile, id: string): Promise<unknown> =>
  alice.client.call("delete", { contact: "bob", id, forAll: true })
const for30Days = async ({ fixture }: TestProfile): Promise<void> =>
  fixture.clock.pass(30 * DAY_MS + 3_600_000)

/** Receipts to Alice, which come late; `release` lets them through. */
function heldReceipts({ fixture, alice }: Awaited<ReturnType<typeof couple>>): () => Promise<void> {
  const held: { topic: string; payload: Uint8Array }[] = []
  fixture.broker.tamper = (topic, payload) => {
    if (!topic.includes(alice.deviceId)) return [payload]
    held.push({ topic, payload })
    return []
  }
  return async () => {
    fixture.broker.tamper = (_topic, payload) => [payload]
    for (const { topic, payload } of held) fixture.broker.inject(topic, payload)
    await fixture.clock.pass(10 * 60_000)
  }
}

test("[D-61] what a cancelled text said last, and the reaction to it, reach a peer who has the text after all", async () => {
  const people = await couple()
  const { fixture, alice, bob } = people
  const release = heldReceipts(people)
  const id = await alice.send("bob", "at noon")
  await fixture.clock.pass(100)
  const lost = fixture.broker.tamper
  fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : lost(topic, payload))
  await alice.client.call("edit", { contact: "bob", id, text: "at one" })
  await alice.client.call("edit", { contact: "bob", id, text: "at two" })
  await alice.client.call("react", { contact: "bob", id, emoji: "👍" })
  await fixture.clock.pass(100)
  await alice.client.call("cancel", { contact: "bob", id })
  await alice.stop()
  await alice.start()
  await release()
  expect(await alice.states("bob")).toEqual(["delivered"])
  const [message] = await bob.read("alice")
  expect(message).toMatchObject({ text: "at two", reactions: [{ emoji: "👍" }] })
  expect(await alice.systemMessages("bob")).toEqual([LATE])
  expect(await alice.client.call("outbox", {})).toEqual([])
  expect((await alice.store.load()).outgoing).toEqual([])
})

test("[D-61] a deletion that was given up is sent again when the text that it is of had arrived after all", async () => {
  const people = await couple()
  const { fixture, alice, bob } = people
  const release = heldReceipts(people)
  const id = await alice.send("bob", "regret")
  await fixture.clock.pass(100)
  fixture.broker.tamper = () => []
  await forAll(alice, id)
  await for30Days(alice)
  const line = "a deletion did NOT reach bob in 30 days"
  expect(await alice.systemMessages("bob")).toEqual([line])
  expect(await bob.texts("alice")).toEqual(["regret"])
  await release()
  expect(await bob.texts("alice")).toEqual([""])
  expect(await alice.systemMessages("bob")).toEqual([line, LATE])
  expect((await alice.store.load()).outgoing).toEqual([])
})

test("[D-61] a text that arrived unchanged after all is followed by nothing, and nothing is listed as waiting", async () => {
  const people = await couple()
  const { fixture, alice, bob } = people
  const release = heldReceipts(people)
  const id = await alice.send("bob", "at noon")
  await fixture.clock.pass(100)
  await alice.client.call("cancel", { contact: "bob", id })
  await release()
  expect(await alice.states("bob")).toEqual(["delivered"])
  expect((await alice.store.load()).outgoing).toEqual([])
  expect(bob.events.filter(({ kind }) => kind === "changed")).toEqual([])
})

test.each([
  ["deleted", forAll],
  ["given up", for30Days],
])("[D-22] an edit that was %s is asked for, and is no message that Alice cancelled", async (_, end) => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "first")
  await fixture.clock.pass(1_000)
  fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : [payload])
  await alice.client.call("edit", { contact: "bob", id, text: "first!" })
  await fixture.clock.pass(1_000)
  await end(alice, id)
  await fixture.clock.pass(10)
  fixture.broker.tamper = (_topic, payload) => [payload]
  await alice.send("bob", "second")
  await fixture.clock.pass(3_600_000)
  expect((await bob.texts("alice")).at(-1)).toBe("second")
  expect(await bob.systemMessages("alice")).toEqual([])
})

test("a receipt for what was never withdrawn, or never sent, corrects and tells nothing", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.crash()
  const id = await alice.send("bob", "taken back in time")
  await alice.client.call("cancel", { contact: "bob", id })
  await fixture.clock.pass(1_000)
  expect(await alice.states("bob")).toEqual(["cancelled"])
  expect(await alice.systemMessages("bob")).toEqual([])
})
