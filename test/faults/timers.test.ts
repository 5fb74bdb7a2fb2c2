import { expect, test } from "vitest"

import { Town, type Person } from "../chat/people.ts"
import { clear } from "./weather.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

async function couple(): Promise<{ town: Town; alice: Person; bob: Person }> {
  const town = new Town()
  const alice = await town.person("alice")
  const bob = await town.person("bob")
  await town.pair(alice, bob)
  await alice.client.call("timer", { contact: "bob", seconds: 60 })
  await town.clock.pass(50)
  return { town, alice, bob }
}

function shownTo({ events }: Person): string[] {
  return events.flatMap((event) =>
    event.event === "message" && event.message.kind === "text" && !event.message.mine
      ? [event.message.text]
      : [],
  )
}

/** Bob reads a text whose time is then over; of all that Alice hears nothing. */
async function readAndGone({ town, alice, bob }: Awaited<ReturnType<typeof couple>>): Promise<void> {
  town.office.meddle = (topic, payload) => (topic.includes(alice.deviceId) ? [] : [payload])
  await alice.send("bob", "burn after reading")
  await town.clock.pass(50)
  await bob.client.call("inbox", { take: true })
  await town.clock.pass(3 * MINUTE_MS)
  expect(await bob.texts("alice")).toEqual([])
  clear(town)
}

test("a text that has disappeared is acknowledged when it comes again", async () => {
  const it = await couple()
  const { town, alice, bob } = it
  await readAndGone(it)
  await town.clock.pass(HOUR_MS)
  expect(alice.events).toContainEqual(expect.objectContaining({ event: "receipt", state: "delivered" }))
  expect(await alice.client.call("outbox", {})).toEqual([])
  expect(shownTo(bob)).toEqual(["burn after reading"])
  expect((await bob.lines("alice")).filter((line) => line.includes("anew"))).toEqual([])
})

test("a text that has disappeared is not shown again in a session made anew", async () => {
  const it = await couple()
  const { town, alice, bob } = it
  await readAndGone(it)
  await alice.client.call("reset", { contact: "bob" })
  await town.clock.pass(HOUR_MS)
  expect(shownTo(bob)).toEqual(["burn after reading"])
  expect(await alice.client.call("outbox", {})).toEqual([])
})
