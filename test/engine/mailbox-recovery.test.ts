import { copyFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { HOUR_MS, MINUTE_MS } from "../../src/time-units.ts"
import {
  agree,
  establishedCouple,
  exchange,
  expectWhole,
  mailboxesAt,
  oldOf,
  WEEK_MS,
} from "./mailbox-fixture.ts"

describe("a disk put back to before a rotation", () => {
  for (const forgets of [false, true]) {
    const broker = forgets ? "a broker that has forgotten her" : "a broker that has not"
    test(`of her who receives is healed, without a word of hers, at ${broker} [D-164] [D-165]`, async () => {
      const both = await establishedCouple()
      const { fixture, alice, bob } = both
      await fixture.clock.pass(WEEK_MS)
      await alice.stop()
      copyFileSync(alice.path, `${alice.path}.copy`)
      await alice.start()
      await exchange(both, "rotated")
      expect(await oldOf(alice)).toHaveLength(1)
      await alice.crash()
      if (forgets) fixture.broker.session(alice.deviceId).topics.clear()
      copyFileSync(`${alice.path}.copy`, alice.path)
      await alice.start()
      for (const text of ["one", "two", "three", "four"]) await bob.send("alice", text)
      await fixture.clock.pass(3 * HOUR_MS)
      expect((await alice.texts("bob")).slice(-4)).toEqual(["one", "two", "three", "four"])
      await exchange(both, "healed")
      expect((await bob.texts("alice")).at(-1)).toBe("healed")
      expect((await alice.texts("bob")).at(-1)).toBe("healed")
      expect((await mailboxesAt(alice)).parts.mailboxRotation?.confirmed).toBe(true)
    })
  }

  test("of her who receives, and who writes first, is healed by the other's INIT, which names no mailbox of hers [D-164] [D-165]", async () => {
    const both = await establishedCouple()
    const { fixture, alice, bob } = both
    await fixture.clock.pass(WEEK_MS)
    await alice.stop()
    copyFileSync(alice.path, `${alice.path}.copy`)
    await alice.start()
    await exchange(both, "rotated")
    await alice.crash()
    fixture.broker.session(alice.deviceId).topics.clear()
    copyFileSync(`${alice.path}.copy`, alice.path)
    await alice.start()
    for (const text of ["one", "two", "three", "four"]) await alice.send("bob", text)
    await fixture.clock.pass(3 * MINUTE_MS)
    expect((await bob.texts("alice")).slice(-4)).toEqual(["one", "two", "three", "four"])
    expect(await agree(both)).toBe(true)
    await exchange(both, "healed")
    expect((await alice.texts("bob")).at(-1)).toBe("healed")
  })

  test("of him who sends is healed [D-165]", async () => {
    const both = await establishedCouple()
    const { fixture, alice, bob } = both
    await fixture.clock.pass(WEEK_MS)
    await bob.stop()
    copyFileSync(bob.path, `${bob.path}.copy`)
    await bob.start()
    await exchange(both, "rotated")
    await bob.crash()
    copyFileSync(`${bob.path}.copy`, bob.path)
    await bob.start()
    for (const text of ["one", "two", "three", "four"]) await bob.send("alice", text)
    await fixture.clock.pass(3 * HOUR_MS)
    await exchange(both, "healed")
    expect((await alice.texts("bob")).slice(-5)).toEqual(["one", "two", "three", "four", "healed"])
    expect((await bob.texts("alice")).at(-1)).toBe("healed")
    expect((await mailboxesAt(alice)).parts.mailboxRotation?.confirmed).toBe(true)
  })
})

test("a recovery names the mailbox in the new session, when TOPIC was lost with the old one [D-165]", async () => {
  const both = await establishedCouple()
  const { fixture, alice, bob } = both
  await fixture.clock.pass(WEEK_MS)
  await bob.send("alice", "one")
  fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : [payload])
  await fixture.clock.pass(1_000)
  expect(await oldOf(alice)).toHaveLength(1)
  expect(await agree(both)).toBe(false)
  await bob.client.call("reset", { contact: "alice" })
  fixture.broker.tamper = (_topic, payload) => [payload]
  await fixture.clock.pass(MINUTE_MS)
  await exchange(both, "after it")
  await expectWhole(both)
})

test("recoveries within one second leave each side a bundle that the other can open [D-165]", async () => {
  const both = await establishedCouple()
  const { fixture, alice } = both
  for (let n = 0; n < 3; n += 1) {
    await alice.client.call("reset", { contact: "bob" })
    await fixture.clock.pass(100)
    expect((await mailboxesAt(alice)).device.state).toBe("established")
  }
  await exchange(both, "after them")
  await expectWhole(both)
})

test("a recovery names the mailbox in the new session, when the answer was lost with the old one [D-165]", async () => {
  const both = await establishedCouple()
  const { fixture, alice, bob } = both
  await fixture.clock.pass(WEEK_MS)
  // Alice names it, and nothing of Bob's comes back.
  await alice.send("bob", "one")
  await fixture.clock.pass(100)
  await bob.send("alice", "two")
  await fixture.clock.pass(0)
  fixture.broker.tamper = (topic, payload) => (topic.includes(alice.deviceId) ? [] : [payload])
  await fixture.clock.pass(1_000)
  await bob.client.call("reset", { contact: "alice" })
  fixture.broker.tamper = (_topic, payload) => [payload]
  await fixture.clock.pass(MINUTE_MS)
  await exchange(both, "after it")
  await expectWhole(both)
})
