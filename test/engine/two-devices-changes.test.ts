import { expect, test } from "vitest"
import type { Message } from "../../src/engine/api.ts"
import type { TestProfile } from "./engine-fixture.ts"
import { cutOff, deviceOf, twoDevices } from "./two-devices.ts"

const HOUR_MS = 60 * 60_000
const DAY_MS = 24 * HOUR_MS
const NONE_LOST = (_topic: string, payload: Uint8Array) => [payload]

async function messageOf(profile: TestProfile, contact: string, id: string): Promise<Message | undefined> {
  const all = await profile.client.call("history", { contact, limit: 100 })
  return all.find((message) => message.id === id)
}

/** The changes of Alice's that a device has not acknowledged. */
async function waitingFor(alice: TestProfile, profile: TestProfile): Promise<string[]> {
  const { id } = await deviceOf(alice, profile)
  const { outgoing } = await alice.store.load()
  return outgoing.flatMap(({ device, carriesChange }) =>
    device === id && carriesChange !== undefined ? [carriesChange.kind] : [],
  )
}

test("an edit and a reaction go to both devices, and wait for the one that is away", async () => {
  const { fixture, alice, laptop, phone } = await twoDevices()
  const id = await alice.send("bob", "first")
  await fixture.clock.pass(1_000)
  cutOff(fixture, phone)
  await alice.client.call("edit", { contact: "bob", id, text: "second" })
  await alice.client.call("react", { contact: "bob", id, emoji: "🎉" })
  await fixture.clock.pass(1_000)
  expect(await messageOf(laptop, "alice", id)).toMatchObject({ text: "second", reactions: [{ emoji: "🎉" }] })
  expect(await messageOf(phone, "alice", id)).toMatchObject({ text: "first", reactions: [] })
  expect(await waitingFor(alice, laptop)).toEqual([])
  expect(await waitingFor(alice, phone)).toEqual(["edit", "reaction"])
  expect(await messageOf(alice, "bob", id)).toMatchObject({ state: "delivered" })
  fixture.broker.tamper = NONE_LOST
  await fixture.clock.pass(HOUR_MS)
  expect(await messageOf(phone, "alice", id)).toMatchObject({ text: "second", reactions: [{ emoji: "🎉" }] })
  expect(await waitingFor(alice, phone)).toEqual([])
})

test("a new session with one device sends its changes again, and never touches those of the other", async () => {
  const { fixture, alice, laptop, phone } = await twoDevices()
  const id = await alice.send("bob", "first")
  await fixture.clock.pass(1_000)
  cutOff(fixture, phone)
  for (const text of ["second", "third"]) await alice.client.call("edit", { contact: "bob", id, text })
  await fixture.clock.pass(1_000)
  const [known] = await laptop.client.call("history", { contact: "alice", limit: 1 })
  fixture.broker.tamper = NONE_LOST
  await phone.client.call("reset", { contact: "alice" })
  await fixture.clock.pass(HOUR_MS)
  expect(await messageOf(phone, "alice", id)).toMatchObject({ text: "third" })
  expect((await laptop.client.call("history", { contact: "alice", limit: 1 }))[0]).toEqual(known)
  expect(await waitingFor(alice, phone)).toEqual([])
})

test("what was deleted for all is not sent any more to the device that has not got it", async () => {
  const { fixture, alice, laptop, phone } = await twoDevices()
  cutOff(fixture, phone)
  const id = await alice.send("bob", "zyzzogeton")
  await fixture.clock.pass(1_000)
  await alice.client.call("delete", { contact: "bob", id, forAll: true })
  await fixture.clock.pass(1_000)
  expect(await messageOf(laptop, "alice", id)).toMatchObject({ text: "" })
  expect(await waitingFor(alice, phone)).toEqual(["delete"])
  fixture.broker.tamper = NONE_LOST
  await fixture.clock.pass(HOUR_MS)
  await alice.send("bob", "next")
  await fixture.clock.pass(1_000)
  expect(await phone.texts("alice")).toEqual(["next"])
  expect(JSON.stringify(phone.events)).not.toContain("zyzzogeton")
  expect(await waitingFor(alice, phone)).toEqual([])
})

test("that a change did not arrive is said once, and only if neither device has it [D-96]", async () => {
  const { fixture, alice, laptop, phone } = await twoDevices()
  const id = await alice.send("bob", "first")
  await fixture.clock.pass(1_000)
  const failures = async () =>
    (await alice.systemMessages("bob")).filter((line) => line.includes("did NOT reach"))
  cutOff(fixture, phone)
  await alice.client.call("edit", { contact: "bob", id, text: "second" })
  await fixture.clock.pass(1_000)
  await fixture.clock.passDays(31)
  await fixture.clock.pass(DAY_MS)
  expect(await waitingFor(alice, phone)).toEqual([])
  expect(await failures()).toEqual([])
  cutOff(fixture, laptop, phone)
  await alice.client.call("edit", { contact: "bob", id, text: "third" })
  await fixture.clock.pass(1_000)
  await fixture.clock.passDays(31)
  await fixture.clock.pass(DAY_MS)
  expect([await waitingFor(alice, laptop), await waitingFor(alice, phone)]).toEqual([[], []])
  expect(await failures()).toEqual(["an edit did NOT reach bob in 30 days"])
})

test("a reaction of either device is Bob's one reaction", async () => {
  const { fixture, alice, laptop, phone } = await twoDevices()
  const id = await alice.send("bob", "I passed")
  await fixture.clock.pass(1_000)
  await laptop.client.call("react", { contact: "alice", id, emoji: "👍" })
  await fixture.clock.pass(1_000)
  await phone.client.call("react", { contact: "alice", id, emoji: "🎉" })
  await fixture.clock.pass(1_000)
  const { reactions } = (await messageOf(alice, "bob", id)) ?? { reactions: [] }
  expect(reactions.map(({ emoji, mine }) => [emoji, mine])).toEqual([["🎉", false]])
})
