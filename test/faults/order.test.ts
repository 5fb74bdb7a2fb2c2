import { expect, test } from "vitest"

import { Town, type Person } from "../chat/people.ts"
import { bring, clear } from "./weather.ts"

const MINUTE_MS = 60_000

async function couple(): Promise<{ town: Town; alice: Person; bob: Person }> {
  const town = new Town()
  const alice = await town.person("alice")
  const bob = await town.person("bob")
  await town.pair(alice, bob)
  await town.clock.pass(50)
  return { town, alice, bob }
}

test.each(["alice", "bob"] as const)(
  "what is said while %s makes the connection anew comes after what was said before",
  async (who) => {
    const { town, alice, bob } = await couple()
    await bob.send("alice", "hello")
    await town.clock.pass(50)
    bring(town, ["lose"])
    for (const text of ["one", "two", "three"]) await alice.send("bob", text)
    await town.clock.pass(100)
    clear(town)
    const [self, peer] = who === "alice" ? [alice, "bob"] : [bob, "alice"]
    void self.client.call("reset", { contact: peer })
    const later = ["four", "five", "six"]
    for (const text of later) {
      void alice.send("bob", text)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await town.clock.pass(MINUTE_MS)
    expect(await bob.texts("alice")).toEqual(["one", "two", "three", ...later])
  },
)

test("texts that wait behind several gaps are all shown within two minutes", async () => {
  const { town, alice, bob } = await couple()
  bring(town, ["lose", "pass"])
  for (let n = 0; n < 20; n++) await alice.send("bob", `${n}`)
  await town.clock.pass(50)
  await alice.die()
  await town.clock.pass(2 * MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(Array.from({ length: 10 }, (_, n) => `${2 * n + 1}`))
})
