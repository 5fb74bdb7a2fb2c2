import { expect, test } from "vitest"
import { couple, type EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { hostileContact } from "./hostile-contact.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_each, index) => `text ${index}`)
}

async function sendAll(alice: TestProfile, texts: readonly string[]): Promise<void> {
  for (const text of texts) await alice.send("bob", text)
}

function sentTo({ broker }: EngineFixture, profile: TestProfile): number {
  return broker.seen.filter(({ topic }) => topic.includes(profile.deviceId)).length
}

test("[D-174] a receiver that returns to a broker which kept only 100 messages has them all within seconds, not after an hour", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.stop()
  fixture.broker.keepsMax = 100
  await sendAll(alice, numbered(300))
  await fixture.clock.pass(24 * HOUR_MS)
  const before = sentTo(fixture, bob)

  await bob.start()
  await fixture.clock.pass(8_000)

  expect(await bob.texts("alice")).toEqual(numbered(300))
  expect(await alice.states("bob")).toEqual(Array(300).fill("delivered"))
  // Each that was dropped once, and little more.
  expect(sentTo(fixture, bob) - before).toBeLessThan(400)
}, 60_000)

test("[D-174] thousands of messages follow as fast as their receipts come, and wait for silence few times", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.stop()
  fixture.broker.keepsMax = 100
  await sendAll(alice, numbered(2_000))
  await fixture.clock.pass(24 * HOUR_MS)
  const before = sentTo(fixture, bob)

  await bob.start()
  // A second without a receipt until she knows that some were dropped, and one more after the first that are too many at once.
  await fixture.clock.pass(3_500)

  expect(await bob.texts("alice")).toEqual(numbered(2_000))
  expect(sentTo(fixture, bob) - before).toBeLessThan(2_200)
}, 120_000)

test("[D-174] to a receiver that returns and finds everything, nothing is sent again", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.stop()
  await sendAll(alice, numbered(50))
  await fixture.clock.pass(12 * HOUR_MS - 10 * MINUTE_MS)
  const before = sentTo(fixture, bob)
  await bob.start()
  await fixture.clock.pass(10_000)
  expect(await bob.texts("alice")).toEqual(numbered(50))
  expect(sentTo(fixture, bob) - before).toBeLessThan(10)
})

test("[D-175] what a broker lost while it kept the sessions is sent again at the next connection, not after an hour", async () => {
  const { fixture, alice, bob } = await couple()
  fixture.broker.tamper = () => []
  await sendAll(alice, numbered(40))
  await fixture.clock.pass(3 * HOUR_MS)
  fixture.broker.tamper = (_topic, payload) => [payload]
  fixture.broker.close()
  fixture.broker.reopen()
  await fixture.clock.pass(4_000)
  expect(await bob.texts("alice")).toEqual(numbered(40))
})

test("[D-175] a connection that is cut every second repeats one frame per device in half a minute", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.stop()
  await sendAll(alice, numbered(40))
  await fixture.clock.pass(3 * HOUR_MS)
  const before = sentTo(fixture, bob)
  for (let cut = 0; cut < 60; cut++) {
    fixture.broker.close()
    fixture.broker.reopen()
    await fixture.clock.pass(1_000)
  }
  expect(sentTo(fixture, bob) - before).toBeLessThanOrEqual(3)
})

test("[D-174] a contact that writes all the time and acknowledges nothing makes us repeat little", async () => {
  const { fixture, eve, bob, sends } = await hostileContact()
  const texts = 100
  for (let n = 0; n < texts; n++) await bob.send("eve", `text ${n}`)
  await fixture.clock.pass(5 * HOUR_MS)
  const before = sentTo(fixture, eve)
  for (let minute = 0; minute < 60; minute++) {
    for (let n = 0; n < 5; n++) await sends({ kind: "timer", seconds: 0, setAt: fixture.clock.now() })
    await fixture.clock.pass(MINUTE_MS - 500)
  }
  // Each text once in this hour, a receipt for each frame of hers, and rounds after 30 s, 1, 2, 4 ... minutes.
  const [receipts, rounds] = [300, 8]
  expect(sentTo(fixture, eve) - before).toBeLessThan(texts + receipts + rounds * 32)
}, 60_000)
