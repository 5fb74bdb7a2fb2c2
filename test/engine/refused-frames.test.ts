import { describe, expect, test } from "vitest"

import { EngineFixture, type TestProfile } from "./engine-fixture.ts"

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const LARGE = "y".repeat(30_000)

async function three(): Promise<{
  fixture: EngineFixture
  alice: TestProfile
  bob: TestProfile
  carol: TestProfile
}> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  const carol = await fixture.profile("carol")
  await fixture.pair(alice, bob)
  await fixture.pair(alice, carol)
  await fixture.clock.pass(1_000)
  return { fixture, alice, bob, carol }
}

/** A broker that is reached again, each time that it ended the connection. */
async function passReconnecting(fixture: EngineFixture, seconds: number): Promise<void> {
  for (let n = 0; n < seconds; n++) {
    await fixture.clock.pass(1_000)
    fixture.broker.reopen()
  }
}

async function reasons(alice: TestProfile): Promise<[string, string][]> {
  const waiting = await alice.client.call("outbox", {})
  return waiting.map(({ contact, reason }) => [contact, reason])
}

describe("[D-122] a message that the broker does not take", () => {
  test.each([
    [
      "answers with reason 149",
      (fixture: EngineFixture) => {
        fixture.broker.refusal = (_topic, payload) => (payload.length > 20_000 ? 149 : undefined)
      },
    ],
    [
      "ends the connection with reason 149",
      (fixture: EngineFixture) => {
        fixture.broker.cutsAt = (_topic, payload) => (payload.length > 20_000 ? 149 : undefined)
      },
    ],
    [
      "ends the connection without a word",
      (fixture: EngineFixture) => {
        fixture.broker.cutsAt = (_topic, payload) => (payload.length > 20_000 ? 0 : undefined)
      },
    ],
  ])("stops alone where the broker %s", async (_how, limit) => {
    const { fixture, alice, bob, carol } = await three()
    limit(fixture)
    await alice.send("bob", LARGE)
    await alice.send("bob", "behind it")
    await alice.send("carol", "to another")
    await passReconnecting(fixture, 30)
    expect(await carol.texts("alice")).toEqual(["to another"])
    expect((await alice.states("bob"))[1]).toBe("delivered")
    const [[contact, reason] = []] = await reasons(alice)
    expect([contact, reason]).toEqual([
      "bob",
      expect.stringMatching(/larger than the broker takes|more than once/),
    ])
    expect(alice.events.filter(({ kind }) => kind === "notice")).toHaveLength(1)
    // However many there are, they cost a connection ever more rarely.
    for (let n = 0; n < 5; n++) await alice.send("bob", LARGE)
    await passReconnecting(fixture, 200)
    expect(await reasons(alice)).toHaveLength(6)
    const tried = fixture.broker.tried
    await passReconnecting(fixture, 30)
    expect(fixture.broker.tried - tried).toBeLessThan(2)
    expect(await bob.systemMessages("alice")).toEqual(["1 message from alice did not arrive"])
  })

  test("is said at once when the broker named its limit, with what fits", async () => {
    const { fixture, alice, bob } = await three()
    fixture.broker.maximumPacketSize = 20_000
    fixture.broker.close()
    fixture.broker.reopen()
    await fixture.clock.pass(10)
    const refused = {
      code: "bad-data",
      message: "the broker takes messages of at most 16124 bytes, this one has 30000",
    }
    await expect(alice.send("bob", LARGE)).rejects.toMatchObject(refused)
    await alice.send("bob", "z".repeat(16_124))
    await fixture.clock.pass(100)
    expect((await bob.texts("alice")).map(({ length }) => length)).toEqual([16_124])
  })

  test("leaves when the broker takes more", async () => {
    const { fixture, alice, bob } = await three()
    fixture.broker.close()
    await alice.send("bob", LARGE)
    fixture.broker.maximumPacketSize = 20_000
    fixture.broker.reopen()
    await fixture.clock.pass(100)
    expect(await reasons(alice)).toEqual([
      ["bob", "it is larger than the broker takes, at most 16124 bytes: send it in parts"],
    ])
    expect(await alice.client.call("outbox", {})).toMatchObject([{ state: "queued", attempts: 0 }])
    await fixture.clock.pass(3 * DAY_MS)
    expect(await bob.texts("alice")).toEqual([])
    fixture.broker.maximumPacketSize = undefined
    fixture.broker.close()
    fixture.broker.reopen()
    await fixture.clock.pass(100)
    expect(await bob.texts("alice")).toEqual([LARGE])
    expect(await reasons(alice)).toEqual([])
  })

  test("ends the wait of the command that sends it", async () => {
    const { fixture, alice } = await three()
    fixture.broker.refusal = (_topic, payload) => (payload.length > 20_000 ? 149 : undefined)
    const answer = alice.client.call("send", {
      contact: "bob",
      text: LARGE,
      wait: "broker",
      timeoutMs: DAY_MS,
    })
    await fixture.clock.pass(100)
    expect(await answer).toMatchObject({ state: "queued" })
  })

  test("can be cancelled", async () => {
    const { fixture, alice, bob } = await three()
    fixture.broker.refusal = (_topic, payload) => (payload.length > 20_000 ? 149 : undefined)
    const id = await alice.send("bob", LARGE)
    await fixture.clock.pass(100)
    await alice.client.call("cancel", { contact: "bob", id })
    await alice.send("bob", "after it")
    await fixture.clock.pass(5_000)
    expect(await reasons(alice)).toEqual([])
    expect(await bob.texts("alice")).toEqual(["after it"])
  })
})

test.each([135, 144, 151])(
  "[D-123] where the broker takes nothing for one contact, reason %i, the others go on, and it is tried less and less often",
  async (reason) => {
    const { fixture, alice, bob, carol } = await three()
    const tried: number[] = []
    fixture.broker.refusal = (topic) => {
      if (!topic.includes(bob.deviceId)) return undefined
      tried.push(fixture.clock.now())
      return reason
    }
    for (let n = 0; n < 5; n++) await alice.send("bob", `to bob ${n}`)
    await alice.send("carol", "to carol")
    await fixture.clock.pass(2 * MINUTE_MS)
    expect(await carol.texts("alice")).toEqual(["to carol"])
    const times = [...new Set(tried)].map((at) => at - (tried[0] ?? 0))
    expect(times.slice(0, 7)).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000, 63_000])
    fixture.broker.refusal = () => undefined
    await fixture.clock.pass(MINUTE_MS)
    expect(await bob.texts("alice")).toEqual(["to bob 0", "to bob 1", "to bob 2", "to bob 3", "to bob 4"])
  },
)

test("[D-123] a broker that ends the connection at each message for one contact delivers the others'", async () => {
  const { fixture, alice, bob, carol } = await three()
  fixture.broker.cutsAt = (topic) => (topic.includes(bob.deviceId) ? 0 : undefined)
  for (let n = 0; n < 3; n++) await alice.send("bob", `to bob ${n}`)
  for (let n = 0; n < 3; n++) await alice.send("carol", `to carol ${n}`)
  await passReconnecting(fixture, 30)
  expect(await carol.texts("alice")).toEqual(["to carol 0", "to carol 1", "to carol 2"])
  fixture.broker.cutsAt = () => undefined
  await passReconnecting(fixture, 120)
  expect(await bob.texts("alice")).toEqual(["to bob 0", "to bob 1", "to bob 2"])
})

test("[D-122] a network that ends each connection at once sets nothing aside, and all goes when one holds", async () => {
  const { fixture, alice, bob } = await three()
  fixture.broker.close()
  for (let n = 0; n < 40; n++) await alice.send("bob", `text ${n}`)
  fixture.broker.cutsAt = () => 0
  fixture.broker.reopen()
  for (let n = 0; n < 10; n++) {
    await fixture.clock.pass(300)
    fixture.broker.reopen()
  }
  fixture.broker.cutsAt = () => undefined
  fixture.broker.close()
  fixture.broker.reopen()
  await fixture.clock.pass(2_000)
  expect(await bob.texts("alice")).toHaveLength(40)
})
