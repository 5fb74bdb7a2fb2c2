import { expect, test } from "vitest"

import { EngineFixture, type TestProfile } from "../engine/engine-fixture.ts"
import { setFrameFaults, clearFrameFaults } from "./network-model.ts"

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

async function pairedUsers(): Promise<{ fixture: EngineFixture; alice: TestProfile; bob: TestProfile }> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  return { fixture, alice, bob }
}

test.each([-2, 2])("a clock that is set by %d days delays nothing in flight", async (days) => {
  const { fixture, alice, bob } = await pairedUsers()
  setFrameFaults(fixture, ["lose"])
  await alice.send("bob", "hello")
  await fixture.clock.pass(100)
  fixture.clock.jump(days * DAY_MS)
  clearFrameFaults(fixture)
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["hello"])
  expect(await alice.states("bob")).toEqual(["delivered"])
})

test.each([-2, 2])("a clock that is set by %d days leaves no text waiting behind a gap", async (days) => {
  const { fixture, alice, bob } = await pairedUsers()
  setFrameFaults(fixture, ["lose", "pass"])
  await alice.send("bob", "lost")
  await alice.send("bob", "kept")
  await fixture.clock.pass(100)
  await alice.crash()
  fixture.clock.jump(days * DAY_MS)
  await fixture.clock.pass(2 * MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["kept"])
  clearFrameFaults(fixture)
  await alice.start()
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["kept", "lost"])
})
