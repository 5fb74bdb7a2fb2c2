import { expect, test } from "vitest"

import { couple } from "../engine/engine-fixture.ts"
import { setFrameFaults, clearFrameFaults } from "./network-model.ts"

const MINUTE_MS = 60_000

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

test.each(["alice", "bob"] as const)(
  "texts sent during a recovery by %s come after earlier ones",
  async (who) => {
    const { fixture, alice, bob } = await couple()
    await bob.send("alice", "hello")
    await fixture.clock.pass(50)
    setFrameFaults(fixture, ["lose"])
    for (const text of ["one", "two", "three"]) await alice.send("bob", text)
    await fixture.clock.pass(100)
    clearFrameFaults(fixture)
    const [self, peer] = who === "alice" ? [alice, "bob"] : [bob, "alice"]
    void self.client.call("reset", { contact: peer })
    const later = ["four", "five", "six"]
    for (const text of later) {
      void alice.send("bob", text)
      await nextTurn()
    }
    await fixture.clock.pass(MINUTE_MS)
    expect(await bob.texts("alice")).toEqual(["one", "two", "three", ...later])
  },
)

test.each([30, 100, 300])(
  "a second recovery, %d steps into retransmission, keeps the order",
  async (steps) => {
    const { fixture, alice, bob } = await couple()
    const texts = Array.from({ length: 40 }, (_, n) => `${n}`)
    setFrameFaults(fixture, ["lose"])
    for (const text of texts) await alice.send("bob", text)
    await fixture.clock.pass(100)
    await alice.client.call("reset", { contact: "bob" })
    for (let step = 0; step < steps; step++) await Promise.resolve()
    await alice.client.call("reset", { contact: "bob" })
    clearFrameFaults(fixture)
    await fixture.clock.pass(MINUTE_MS)
    expect(await bob.texts("alice")).toEqual(texts)
    expect(await bob.systemMessages("alice")).toEqual(["the connection with alice was renewed"])
  },
)

test("texts that wait behind several gaps are all shown within two minutes", async () => {
  const { fixture, alice, bob } = await couple()
  setFrameFaults(fixture, ["lose", "pass"])
  for (let n = 0; n < 20; n++) await alice.send("bob", `${n}`)
  await fixture.clock.pass(50)
  await alice.crash()
  await fixture.clock.pass(2 * MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(Array.from({ length: 10 }, (_, n) => `${2 * n + 1}`))
})
