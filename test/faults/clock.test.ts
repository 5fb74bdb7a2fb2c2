import { expect, test } from "vitest"

import { Town, type Person } from "../chat/people.ts"
import { bring, clear } from "./weather.ts"

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

async function couple(): Promise<{ town: Town; alice: Person; bob: Person }> {
  const town = new Town()
  const alice = await town.person("alice")
  const bob = await town.person("bob")
  await town.pair(alice, bob)
  return { town, alice, bob }
}

test.each([-2, 2])("a clock that is set by %d days delays nothing that is on its way", async (days) => {
  const { town, alice, bob } = await couple()
  bring(town, ["lose"])
  await alice.send("bob", "hello")
  await town.clock.pass(100)
  town.clock.jump(days * DAY_MS)
  clear(town)
  await town.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["hello"])
  expect(await alice.states("bob")).toEqual(["delivered"])
})

test.each([-2, 2])("a clock that is set by %d days leaves no text waiting behind a gap", async (days) => {
  const { town, alice, bob } = await couple()
  bring(town, ["lose", "pass"])
  await alice.send("bob", "lost")
  await alice.send("bob", "kept")
  await town.clock.pass(100)
  await alice.die()
  town.clock.jump(days * DAY_MS)
  await town.clock.pass(2 * MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["kept"])
  clear(town)
  await alice.start()
  await town.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["kept", "lost"])
})
