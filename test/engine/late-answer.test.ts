import { expect, test } from "vitest"
import { MINUTE_MS } from "../../src/time-units.ts"
import { EngineFixture } from "./engine-fixture.ts"

type Held = { readonly topic: string; readonly payload: Uint8Array }

/** Alice's offer as a file, and what Bob's answer put on the wire, which the broker has kept so far. */
async function heldAnswer() {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  const held: Held[] = []
  const offer = await alice.client.call("pair-offer", { kind: "file", wordCount: 2 })
  if (offer.kind !== "file") throw new Error("not a file")
  fixture.broker.tamper = (topic, payload) => {
    if (!topic.includes(alice.deviceId)) return [payload]
    held.push({ topic, payload })
    return []
  }
  await bob.client.call("pair-answer", { kind: "file", offer: offer.file })
  await fixture.clock.pass(100)
  const deliver = async (): Promise<void> => {
    fixture.broker.tamper = (_topic, payload) => [payload]
    for (const { topic, payload } of held) fixture.broker.inject(topic, payload)
    await fixture.clock.pass(100)
  }
  return { fixture, alice, offer, deliver }
}

test("an answer that the broker kept is accepted as long as the offer lives", async () => {
  const { fixture, alice, offer, deliver } = await heldAnswer()
  await fixture.clock.pass(offer.expiresAt - fixture.clock.now() - MINUTE_MS)
  await deliver()
  expect((await alice.client.call("contacts", {})).map(({ name }) => name)).toEqual(["bob"])
})

test("an answer to an offer that has expired is refused, also by a process that was running then", async () => {
  const { fixture, alice, offer, deliver } = await heldAnswer()
  await fixture.clock.pass(offer.expiresAt - fixture.clock.now() + MINUTE_MS)
  await deliver()
  expect(await alice.client.call("contacts", {})).toEqual([])
  expect(await alice.client.call("offers", {})).toEqual([])
  await alice.stop()
  await alice.start()
  await deliver()
  expect(await alice.client.call("contacts", {})).toEqual([])
})
