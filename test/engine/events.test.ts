import * as v from "valibot"
import { expect, test } from "vitest"

import { COMMANDS, EVENTS, type Event } from "../../src/engine/api.ts"
import { couple, type TestProfile } from "./engine-fixture.ts"

type Recorded = Extract<Event, { number: number }>

async function since(profile: TestProfile, number?: number): Promise<{ events: Recorded[]; number: number }> {
  const page = await profile.client.call("events", {
    limit: 100,
    ...(number !== undefined && { since: number }),
  })
  expect(v.is(COMMANDS.events.result, page)).toBe(true)
  return page
}

const recorded = (event: Event): event is Recorded => "number" in event

test("what was told is told again, by the numbers of the store, also after a restart", async () => {
  const { fixture, alice, bob } = await couple()
  const { number: start } = await since(alice)
  await alice.send("bob", "one")
  await fixture.clock.pass(50)
  await bob.send("alice", "two")
  await fixture.clock.pass(50)
  const emitted = alice.events.filter(recorded).filter(({ number }) => number > start)
  expect(emitted.map(({ kind }) => kind)).toEqual(["message", "receipt", "receipt", "message"])
  for (const event of emitted) expect(v.is(EVENTS[event.kind].params, event)).toBe(true)
  await alice.crash()
  await alice.start()
  const { events, number } = await since(alice, start)
  expect(events.map(({ kind, number: each }) => [kind, each])).toEqual(
    emitted.map((event) => [event.kind, event.number]),
  )
  // A message is given as it is now.
  expect(events[0]).toMatchObject({ message: { text: "one", state: "delivered" } })
  expect(number).toBe(emitted.at(-1)?.number)
  await alice.send("bob", "three")
  const [next] = (await since(alice, number)).events
  expect(next).toMatchObject({ number: number + 1, message: { text: "three" } })
})

test("an event that is not recorded has no number", async () => {
  const { fixture, alice, bob } = await couple()
  const privacy = { readReceipts: false, typingIndicators: true, receiptDelayMs: 0 }
  await bob.client.call("privacy", { contact: "alice", ...privacy })
  await bob.client.call("typing", { contact: "alice", typing: true })
  await fixture.clock.pass(50)
  const typing = alice.events.find(({ kind }) => kind === "typing")
  expect(typing).toEqual({ kind: "typing", contact: "bob", contactId: 1, typing: true })
})

test("a page goes on where the one before it ended", async () => {
  const { fixture, alice } = await couple()
  for (const text of ["a", "b", "c"]) await alice.send("bob", text)
  await fixture.clock.pass(50)
  const all = await since(alice, 0)
  const found: Recorded[] = []
  for (let reached = 0; ;) {
    const page = await alice.client.call("events", { since: reached, limit: 2 })
    if (page.number === reached) break
    found.push(...page.events)
    reached = page.number
  }
  expect(found).toEqual(all.events)
})

test("a number that the profile has not reached is refused, and a forgotten contact takes its events along", async () => {
  const { alice } = await couple()
  const { number } = await since(alice)
  await expect(since(alice, number + 1)).rejects.toMatchObject({ code: "not-found" })
  await alice.client.call("forget", { contact: "bob" })
  expect((await since(alice, 0)).events).toEqual([])
})

test("a contact is named by name or id, and no name is taken for an id", async () => {
  const { fixture, alice, bob } = await couple()
  const [contact] = await alice.client.call("contacts", {})
  if (contact === undefined) throw new Error("no contact")
  await alice.client.call("rename", { contact: contact.id, name: "7" })
  await alice.client.call("send", { contact: "7", text: "by name", wait: "queued", timeoutMs: 0 })
  await alice.client.call("send", { contact: contact.id, text: "by id", wait: "queued", timeoutMs: 0 })
  await fixture.clock.pass(50)
  expect(await bob.texts("alice")).toEqual(["by name", "by id"])
  await expect(alice.client.call("verify", { contact: 7 })).rejects.toMatchObject({ code: "not-found" })
  await expect(alice.client.call("verify", { contact: `${contact.id}` })).rejects.toMatchObject({
    code: "not-found",
  })
})
