import { expect, test } from "vitest"
import { DAY_MS, HOUR_MS } from "../../src/time-units.ts"
import { couple } from "./engine-fixture.ts"

const GIVEN_UP = "1 message from alice did not reach you in 30 days, and was given up"

test("what was taken back, what was given up and what is lost are three things for the receiver [D-142]", async () => {
  const { fixture, alice, bob } = await couple()
  fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : [payload])
  for (const text of ["too old", "also"]) await alice.send("bob", text)
  for (let day = 0; day < 31; day++) await fixture.clock.pass(DAY_MS)
  expect(await alice.states("bob")).toEqual(["given-up", "given-up"])
  const id = await alice.send("bob", "on second thought")
  await fixture.clock.pass(100)
  await alice.client.call("cancel", { contact: "bob", id })
  await alice.send("bob", "lost")
  await fixture.clock.pass(100)
  // A disk without its end: the sender has used the number, and does not hold the text.
  const lost = (await alice.store.load()).outgoing.findLast(({ carries }) => carries !== undefined)
  await alice.stop()
  await alice.start()
  await alice.store.commit([{ kind: "outgoing-done", seq: lost!.seq }])
  await alice.stop()
  await alice.start()
  fixture.broker.tamper = (_topic, payload) => [payload]
  await alice.send("bob", "fresh")
  await fixture.clock.pass(2 * HOUR_MS)
  expect(await bob.texts("alice")).toEqual(["fresh"])
  expect(await bob.systemMessages("alice")).toEqual([
    GIVEN_UP,
    GIVEN_UP,
    "alice cancelled 1 message",
    "1 message from alice did not arrive",
  ])
  expect(await alice.systemMessages("bob")).toEqual([
    "a message to bob was NOT DELIVERED in 30 days",
    "a message to bob was NOT DELIVERED in 30 days",
  ])
})

test("one that was given up stays that while it waits for a text before it, also in a later process [D-142]", async () => {
  const { fixture, alice, bob } = await couple()
  const first: { topic: string; payload: Uint8Array }[] = []
  fixture.broker.tamper = (topic, payload) => {
    if (!topic.includes(bob.deviceId)) return [payload]
    first.push({ topic, payload })
    return []
  }
  await alice.send("bob", "first")
  await fixture.clock.pass(100)
  await alice.send("bob", "second")
  for (let day = 0; day < 31; day++) await fixture.clock.pass(DAY_MS)
  const { outgoing } = await alice.store.load()
  const notices = outgoing.filter(({ withdrawnNumber }) => withdrawnNumber !== null)
  expect(notices).toHaveLength(2)
  const second = notices.at(-1)!
  await alice.crash()
  fixture.broker.inject(second.topic, second.wire)
  await fixture.clock.pass(100)
  await bob.stop()
  await bob.start()
  const [{ topic, payload }] = first as [(typeof first)[0]]
  fixture.broker.inject(topic, payload)
  await fixture.clock.pass(100)
  expect(await bob.texts("alice")).toEqual(["first"])
  expect(await bob.systemMessages("alice")).toEqual([GIVEN_UP])
})
