import { expect, test } from "vitest"

import { EngineFixture } from "./engine-fixture.ts"

test("Alice and Bob pair by file and write; both see every state of a message", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await alice.send("bob", "hello Bob")
  await bob.send("alice", "hello Alice")
  await fixture.clock.pass(50)
  expect(await alice.texts("bob")).toEqual(["hello Alice"])
  expect(await bob.texts("alice")).toEqual(["hello Bob"])
  expect(await alice.states("bob")).toEqual(["delivered"])
  const receipts = alice.events.filter(({ kind }) => kind === "receipt")
  expect(receipts.map((event) => "state" in event && event.state)).toEqual(["broker", "delivered"])
})
