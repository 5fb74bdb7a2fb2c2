import { expect, test } from "vitest"

import { Town } from "./people.ts"

test("Alice and Bob pair by file and talk; both see every state of a message", async () => {
  const town = new Town()
  const alice = await town.person("alice")
  const bob = await town.person("bob")
  await town.pair(alice, bob)
  await alice.send("bob", "hello Bob")
  await bob.send("alice", "hello Alice")
  await town.clock.pass(50)
  expect(await alice.texts("bob")).toEqual(["hello Alice"])
  expect(await bob.texts("alice")).toEqual(["hello Bob"])
  expect(await alice.states("bob")).toEqual(["delivered"])
  const receipts = alice.events.filter(({ event }) => event === "receipt")
  expect(receipts.map((event) => "state" in event && event.state)).toEqual(["broker", "delivered"])
})
