import { expect, test } from "vitest"
import type { Results } from "../../src/engine/api.ts"
import { DAY_MS } from "../../src/time-units.ts"
import { couple, type TestProfile } from "./engine-fixture.ts"
import { cutOff, twoDevices } from "./two-devices.ts"
import { withoutAccount } from "./without-account.ts"

const rows = async (profile: TestProfile): Promise<Results["outbox"]> => profile.client.call("outbox", {})

test("[D-96] changes that wait stand in the outbox with the reason, each kind of a message once, and are not cancelled", async () => {
  const { fixture, alice, bob } = await couple()
  const edited = await alice.send("bob", "lunch at noon")
  const deleted = await alice.send("bob", "never mind")
  const theirs = await bob.send("alice", "hungry")
  await fixture.clock.pass(100)
  expect(await rows(alice)).toEqual([])
  fixture.broker.close()
  for (const text of ["lunch at one", "lunch at two"])
    await alice.client.call("edit", { contact: "bob", id: edited, text })
  await alice.client.call("react", { contact: "bob", id: theirs, emoji: "👍" })
  await alice.client.call("delete", { contact: "bob", id: deleted, forAll: true })
  const later = await alice.send("bob", "see you")
  await fixture.clock.pass(100)
  const { connection } = await alice.client.call("status", {})
  const reason = "reason" in connection ? connection.reason : ""
  const waits = { contact: "bob", state: "queued", attempts: 0, reason }
  expect(await rows(alice)).toMatchObject([
    { ...waits, kind: "text", id: later, text: "see you" },
    { ...waits, kind: "edit", id: edited, text: "lunch at two" },
    { ...waits, kind: "reaction", id: theirs, text: "👍" },
    { ...waits, kind: "delete", id: deleted, text: "" },
  ])
  expect(await alice.client.call("status", {})).toMatchObject({ queued: 4, undelivered: 4 })
  const cancelled = alice.client.call("cancel", { contact: "bob", id: edited })
  await expect(cancelled).rejects.toMatchObject({ code: "not-found" })
  fixture.broker.reopen()
  await fixture.clock.pass(10_000)
  expect(await rows(alice)).toEqual([])
})

test("[D-101] a change that one device of the contact has is delivered, like a text", async () => {
  const { fixture, alice, laptop, phone } = await twoDevices()
  const id = await alice.send("bob", "first")
  await fixture.clock.pass(1_000)
  cutOff(fixture, phone)
  await alice.client.call("edit", { contact: "bob", id, text: "second" })
  await fixture.clock.pass(1_000)
  expect(await rows(alice)).toEqual([])
  cutOff(fixture, phone, laptop)
  await alice.client.call("edit", { contact: "bob", id, text: "third" })
  await fixture.clock.pass(1_000)
  expect(await rows(alice)).toMatchObject([{ kind: "edit", id, text: "third", state: "broker" }])
})

test("[D-96] an edit that a newer one took the place of is not waited for, and its end is no line", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "lunch at noon")
  await fixture.clock.pass(1_000)
  const lost: Uint8Array[] = []
  fixture.broker.tamper = (topic, payload) => {
    if (lost.length === 0 && topic.includes(bob.deviceId)) lost.push(payload)
    return lost.some((bytes) => Buffer.compare(bytes, payload) === 0) ? [] : [payload]
  }
  await alice.client.call("edit", { contact: "bob", id, text: "lunch at one" })
  await fixture.clock.pass(100)
  expect(await rows(alice)).toMatchObject([{ kind: "edit", text: "lunch at one", state: "broker" }])
  await alice.client.call("edit", { contact: "bob", id, text: "lunch at two" })
  await fixture.clock.pass(1_000)
  expect(await rows(alice)).toEqual([])
  await fixture.clock.pass(31 * DAY_MS)
  expect(await bob.texts("alice")).toEqual(["lunch at two"])
  expect(await alice.systemMessages("bob")).toEqual([])
})

test("[D-96] an edit that is given up is no line while a newer one may still arrive, and one when that is given up", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "lunch at noon")
  await fixture.clock.pass(1_000)
  cutOff(fixture, bob)
  await alice.client.call("edit", { contact: "bob", id, text: "lunch at one" })
  await fixture.clock.pass(29 * DAY_MS)
  await alice.client.call("edit", { contact: "bob", id, text: "lunch at two" })
  await fixture.clock.pass(2 * DAY_MS)
  expect(await alice.systemMessages("bob")).toEqual([])
  expect(await rows(alice)).toMatchObject([{ kind: "edit", text: "lunch at two" }])
  await fixture.clock.pass(29 * DAY_MS)
  expect(await alice.systemMessages("bob")).toEqual(["an edit did NOT reach bob in 30 days"])
})

test("[D-96] an edit that waits for a session goes with its message, and is counted nowhere", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await alice.send("bob", "lunch at noon")
  await fixture.clock.pass(1_000)
  await bob.stop()
  await withoutAccount(alice)
  await alice.client.call("edit", { contact: "bob", id, text: "lunch at one" })
  expect(await alice.client.call("status", {})).toMatchObject({ undelivered: 1 })
  await alice.client.call("delete", { contact: "bob", id })
  expect(await rows(alice)).toEqual([])
  expect(await alice.client.call("status", {})).toMatchObject({ queued: 0, undelivered: 0 })
})

test("[D-71] what waits for a contact whose account is not known yet says so", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.stop()
  await withoutAccount(alice)
  const id = await alice.send("bob", "hello")
  await fixture.clock.pass(100)
  expect(await rows(alice)).toMatchObject([
    { id, state: "queued", nextAt: null, reason: "bob has not shown their account yet" },
  ])
})
