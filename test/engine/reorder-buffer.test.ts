import { expect, test } from "vitest"

import { couple, EngineFixture, type TestProfile } from "./engine-fixture.ts"

const MINUTE_MS = 60_000

/** Drops the frames to this user with these numbers, counted from now on. */
function lose(fixture: EngineFixture, to: TestProfile, ...lost: readonly number[]): void {
  let frame = 0
  fixture.broker.tamper = (topic, payload) => {
    if (!topic.includes(to.deviceId)) return [payload]
    return lost.includes(frame++) ? [] : [payload]
  }
}

test("[D-20] a later text waits for the one before it, which is requested and comes within seconds", async () => {
  const { fixture, alice, bob } = await couple()
  lose(fixture, bob, 0)
  await alice.send("bob", "one")
  await alice.send("bob", "two")
  await fixture.clock.pass(500)
  expect(await bob.texts("alice")).toEqual([])
  expect(await bob.client.call("inbox", { markRead: false })).toEqual([])
  expect(await alice.states("bob")).toEqual(["broker", "delivered"])
  await fixture.clock.pass(1_000)
  expect(await bob.texts("alice")).toEqual(["one", "two"])
  expect(await alice.states("bob")).toEqual(["delivered", "delivered"])
  expect(await bob.systemMessages("alice")).toEqual([])
})

test("[D-21] a gap that cannot be filled is shown as a system message, and late texts after it", async () => {
  const { fixture, alice, bob } = await couple()
  const first: { topic: string; payload: Uint8Array }[] = []
  let frame = 0
  fixture.broker.tamper = (topic, payload) => {
    if (!topic.includes(bob.deviceId) || frame++ > 0) return [payload]
    first.push({ topic, payload })
    return []
  }
  await alice.send("bob", "lost")
  await alice.send("bob", "kept")
  await fixture.clock.pass(50)
  await alice.crash()
  await fixture.clock.pass(2 * MINUTE_MS)
  expect(await bob.systemMessages("alice")).toEqual(["1 message from alice did not arrive"])
  expect(await bob.texts("alice")).toEqual(["kept"])
  for (const { topic, payload } of first) fixture.broker.inject(topic, payload)
  await fixture.clock.pass(50)
  expect(await bob.texts("alice")).toEqual(["kept", "lost"])
})

test("[D-21] what is missing is requested 1, 6, 21 and 51 s after the gap was seen, which is shown at 61 s", async () => {
  const { fixture, alice, bob } = await couple()
  lose(fixture, bob, 0)
  await alice.send("bob", "lost")
  await alice.send("bob", "kept")
  await fixture.clock.pass(50)
  await alice.crash()
  const since = fixture.clock.now()
  const requests: number[] = []
  fixture.broker.tamper = (topic, payload) => {
    if (topic.includes(alice.deviceId)) requests.push(Math.round((fixture.clock.now() - since) / 1_000))
    return [payload]
  }
  await fixture.clock.pass(60_000)
  expect(requests).toEqual([1, 6, 21, 51])
  expect(await bob.texts("alice")).toEqual([])
  await fixture.clock.pass(2_000)
  expect(await bob.texts("alice")).toEqual(["kept"])
})

test("texts that go on coming put off no request: what is missing comes 1 s after the gap was seen", async () => {
  const { fixture, alice, bob } = await couple()
  lose(fixture, bob, 0)
  for (const text of ["lost", "one", "two", "three"]) {
    await alice.send("bob", text)
    await fixture.clock.pass(400)
  }
  expect(await bob.texts("alice")).toEqual(["lost", "one", "two", "three"])
})

test("of two gaps one is filled: the other is requested once, 1 s later, and not when the first would have been", async () => {
  const { fixture, alice, bob } = await couple()
  const lost: { topic: string; payload: Uint8Array }[] = []
  let frame = 0
  fixture.broker.tamper = (topic, payload) => {
    if (!topic.includes(bob.deviceId) || frame++ % 2 > 0) return [payload]
    lost.push({ topic, payload })
    return []
  }
  for (const text of ["lost", "kept", "lost too", "kept too"]) await alice.send("bob", text)
  await fixture.clock.pass(500)
  await alice.crash()
  const requests = () => fixture.broker.seen.filter(({ topic }) => topic.includes(alice.deviceId)).length
  fixture.broker.inject(lost[0]!.topic, lost[0]!.payload)
  await fixture.clock.pass(100)
  const before = requests()
  expect(await bob.texts("alice")).toEqual(["lost", "kept"])
  await fixture.clock.pass(800)
  expect(requests()).toBe(before)
  await fixture.clock.pass(200)
  expect(requests()).toBe(before + 1)
})

test("waiting texts outlive the process, and short-lived processes are shown them when they are old", async () => {
  const { fixture, alice, bob } = await couple()
  lose(fixture, bob, 0)
  await alice.send("bob", "lost")
  await alice.send("bob", "kept")
  await fixture.clock.pass(50)
  await alice.crash()
  await bob.crash()
  await fixture.clock.pass(2 * MINUTE_MS)
  await bob.start()
  expect(await bob.texts("alice")).toEqual([])
  await bob.client.call("catch-up", {})
  expect(await bob.texts("alice")).toEqual(["kept"])
  expect(await bob.systemMessages("alice")).toEqual(["1 message from alice did not arrive"])
})

test("a sender who cancels a message announces it, and nothing waits for it", async () => {
  const { fixture, alice, bob } = await couple()
  lose(fixture, bob, 0)
  const id = await alice.send("bob", "on second thought")
  await alice.send("bob", "better so")
  await fixture.clock.pass(50)
  expect(await alice.client.call("outbox", {})).toMatchObject([
    { contact: "bob", id, text: "on second thought", state: "broker", attempts: 1 },
  ])
  await alice.client.call("cancel", { contact: "bob", id })
  await fixture.clock.pass(50)
  expect(await bob.texts("alice")).toEqual(["better so"])
  expect(await bob.systemMessages("alice")).toEqual(["alice cancelled 1 message"])
  expect(await alice.states("bob")).toEqual(["cancelled", "delivered"])
  await expect(alice.client.call("cancel", { contact: "bob", id })).rejects.toMatchObject({
    code: "not-found",
  })
})

test("no later message waits for one that was given up after 30 days", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.crash()
  fixture.broker.forgetAll()
  await alice.send("bob", "too old")
  await fixture.clock.pass(31 * 24 * 60 * MINUTE_MS)
  expect(await alice.states("bob")).toEqual(["given-up"])
  expect(await alice.systemMessages("bob")).toEqual(["a message to bob was NOT DELIVERED in 30 days"])
  await bob.start()
  await alice.send("bob", "fresh")
  await fixture.clock.pass(60 * MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["fresh"])
  expect(await bob.systemMessages("alice")).toEqual(["1 message from alice did not arrive"])
})

test.each([
  ["broker", "broker"],
  ["delivered", "delivered"],
  ["read", "read"],
] as const)("send waits until it is %s", async (wait, state) => {
  const { fixture, alice, bob } = await couple()
  const options = { readReceipts: true, typingIndicators: false, receiptDelayMs: 0 }
  await bob.client.call("privacy", { contact: "alice", ...options })
  const sent = alice.client.call("send", { contact: "bob", text: "hi", wait, timeoutMs: MINUTE_MS })
  await fixture.clock.pass(100)
  await bob.client.call("inbox", { markRead: true })
  await fixture.clock.pass(100)
  expect((await sent).state).toBe(state)
})

test("[D-10] send reports the state when the time is over, and the message stays in the outbox", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.crash()
  const sent = alice.client.call("send", { contact: "bob", text: "hi", wait: "delivered", timeoutMs: 1_000 })
  await fixture.clock.pass(2_000)
  expect((await sent).state).toBe("broker")
  const [row] = await alice.client.call("outbox", {})
  expect(row?.reason).toBe("the broker has it; bob has not acknowledged it yet")
  await bob.start()
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.texts("alice")).toEqual(["hi"])
  expect(await alice.client.call("outbox", {})).toEqual([])
})
