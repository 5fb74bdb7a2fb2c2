import { expect, test } from "vitest"
import { couple, type EngineFixture, type TestProfile } from "./engine-fixture.ts"

const DAY_MS = 24 * 60 * 60_000

function receivedBy({ broker }: EngineFixture, profile: TestProfile) {
  return broker.seen.filter(({ topic }) => topic.includes(profile.deviceId))
}

function noticesOf({ events }: TestProfile): number {
  return events.filter(({ kind }) => kind === "notice").length
}

test("a broker that was put back to last week's disk delivers its old queue: nothing is shown twice, nothing is told, and the session goes on", async () => {
  const { fixture, alice, bob } = await couple()
  for (let n = 0; n < 20; n++) {
    await alice.send("bob", `her ${n}`)
    await bob.send("alice", `his ${n}`)
    await fixture.clock.pass(200)
  }
  const old = [...receivedBy(fixture, bob), ...receivedBy(fixture, alice)]
  await fixture.clock.pass(7 * DAY_MS)
  const before = [
    await bob.texts("alice"),
    await bob.systemMessages("alice"),
    noticesOf(bob),
    noticesOf(alice),
  ]

  for (const { topic, payload } of old) fixture.broker.inject(topic, payload)
  await fixture.clock.pass(60_000)

  const after = [
    await bob.texts("alice"),
    await bob.systemMessages("alice"),
    noticesOf(bob),
    noticesOf(alice),
  ]
  expect(after).toEqual(before)
  await alice.send("bob", "still here")
  await fixture.clock.pass(1_000)
  expect((await bob.texts("alice")).at(-1)).toBe("still here")
  expect(new Set(await alice.states("bob"))).toEqual(new Set(["delivered"]))
})
