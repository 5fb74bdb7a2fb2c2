import { expect, test } from "vitest"

import { EngineFixture, type TestProfile } from "../engine/engine-fixture.ts"
import { clearFrameFaults } from "./network-model.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

async function pairedUsers(): Promise<{ fixture: EngineFixture; alice: TestProfile; bob: TestProfile }> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await alice.client.call("timer", { contact: "bob", timerSeconds: 60 })
  await fixture.clock.pass(50)
  return { fixture, alice, bob }
}

function shownTo({ events }: TestProfile): string[] {
  return events.flatMap((event) =>
    event.kind === "message" && event.message.kind === "text" && !event.message.mine
      ? [event.message.text]
      : [],
  )
}

/** Bob reads a text whose time is then over; Alice receives nothing of it. */
async function readAndGone({ fixture, alice, bob }: Awaited<ReturnType<typeof pairedUsers>>): Promise<void> {
  fixture.broker.tamper = (topic, payload) => (topic.includes(alice.deviceId) ? [] : [payload])
  await alice.send("bob", "burn after reading")
  await fixture.clock.pass(50)
  await bob.client.call("inbox", { markRead: true })
  await fixture.clock.pass(3 * MINUTE_MS)
  expect(await bob.texts("alice")).toEqual([])
  clearFrameFaults(fixture)
}

test("a text that has disappeared is acknowledged when it comes again", async () => {
  const it = await pairedUsers()
  const { fixture, alice, bob } = it
  await readAndGone(it)
  await fixture.clock.pass(HOUR_MS)
  expect(alice.events).toContainEqual(expect.objectContaining({ kind: "receipt", state: "delivered" }))
  expect(await alice.client.call("outbox", {})).toEqual([])
  expect(shownTo(bob)).toEqual(["burn after reading"])
  expect((await bob.systemMessages("alice")).filter((line) => line.includes("anew"))).toEqual([])
})

test("a text that has disappeared is not shown again after a recovery", async () => {
  const it = await pairedUsers()
  const { fixture, alice, bob } = it
  await readAndGone(it)
  await alice.client.call("reset", { contact: "bob" })
  await fixture.clock.pass(HOUR_MS)
  expect(shownTo(bob)).toEqual(["burn after reading"])
  expect(await alice.client.call("outbox", {})).toEqual([])
})
