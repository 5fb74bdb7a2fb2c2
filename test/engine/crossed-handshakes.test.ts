import { describe, expect, test } from "vitest"
import { INIT_BYTES } from "../../src/session/handshake.ts"
import { couple, EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { fileOf } from "./hostile-pairing.ts"
import { linkOf, pairingsOf, wordsAt } from "./words-fixture.ts"

/** Each has answered the other's file while neither reached the broker. */
async function crossed() {
  const fixture = new EngineFixture()
  const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
  const [hers, his] = [await fileOf(alice), await fileOf(bob)]
  fixture.broker.close()
  await alice.client.call("pair-answer", { kind: "file", offer: his })
  await bob.client.call("pair-answer", { kind: "file", offer: hers })
  fixture.broker.reopen()
  await fixture.clock.pass(1_000)
  return { fixture, alice, bob }
}

async function expectGreetings({ fixture, alice, bob }: Awaited<ReturnType<typeof crossed>>): Promise<void> {
  await alice.send("bob", "hello, Bob")
  await bob.send("alice", "hello, Alice")
  await fixture.clock.pass(1_000)
  expect([await bob.texts("alice"), await alice.texts("bob")]).toEqual([["hello, Bob"], ["hello, Alice"]])
}

/** A first pairing loads its code, which takes no time on this clock, but turns. */
async function loadPairing(): Promise<void> {
  const fixture = new EngineFixture()
  const [carol, dave] = [await fixture.profile("carol"), await fixture.profile("dave")]
  await fixture.pair(carol, dave)
  const offer = await linkOf(carol)
  await Promise.all([fixture.clock.pass(100), import("../../src/engine/pairing/answer.ts")])
  expect(offer).toContain("mqttchat:")
}

/** Each opens the other's link, Bob a little later, and ends when it has an outcome. Frames take 40 ms. */
async function crossedLinks(laterMs: number) {
  const fixture = new EngineFixture()
  const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
  const [hers, his] = [await linkOf(alice), await linkOf(bob)]
  const { broker, clock } = fixture
  broker.tamper = (topic, payload) => {
    clock.after(40, () => broker.inject(topic, payload))
    return []
  }
  const began = clock.now()
  const left = new Set([alice, bob])
  const open = async (profile: TestProfile, offer: string): Promise<void> => {
    await profile.client.call("pair-answer", { kind: "link", offer })
    left.delete(profile)
  }
  const stopped = new Set<TestProfile>()
  const opened = [open(alice, his)]
  await clock.pass(laterMs)
  opened.push(open(bob, hers))
  let took = 0
  for (let step = 0; step < 400 && stopped.size < 2; step++) {
    await clock.pass(100)
    if (left.size > 0) took = clock.now() - began
    for (const profile of [alice, bob].filter((one) => !left.has(one) && !stopped.has(one))) {
      stopped.add(profile)
      await profile.stop()
    }
  }
  await Promise.all(opened)
  return { alice, bob, took }
}

describe("two handshakes that cross", () => {
  test("because each answers the other's file: both have one session, its words, and their texts arrive [S-64] [D-32]", async () => {
    for (let run = 0; run < 4; run++) {
      const { fixture, alice, bob } = await crossed()
      await expectGreetings({ fixture, alice, bob })
      const words = await wordsAt(alice, "bob")
      expect(words).toHaveLength(4)
      expect(await wordsAt(bob, "alice")).toEqual(words)
      expect([await pairingsOf(alice), await pairingsOf(bob)]).toEqual([["bob done"], ["alice done"]])
    }
  })

  test("because both renew: the words are those of the session that stays", async () => {
    const { fixture, alice, bob } = await couple()
    const before = await wordsAt(alice, "bob")
    fixture.broker.close()
    await alice.client.call("reset", { contact: "bob" })
    await bob.client.call("reset", { contact: "alice" })
    fixture.broker.reopen()
    await fixture.clock.pass(10_000)
    const words = await wordsAt(alice, "bob")
    expect(words).toHaveLength(4)
    expect(words).not.toEqual(before)
    expect(await wordsAt(bob, "alice")).toEqual(words)
  })

  test("because one answers a file while the other renews", async () => {
    const { fixture, alice, bob } = await couple()
    const his = await fileOf(bob)
    fixture.broker.close()
    await alice.client.call("pair-answer", { kind: "file", offer: his })
    await bob.client.call("reset", { contact: "alice" })
    fixture.broker.reopen()
    await fixture.clock.pass(30_000)
    await expectGreetings({ fixture, alice, bob })
    expect(await wordsAt(bob, "alice")).toEqual(await wordsAt(alice, "bob"))
  })

  test("because each opens the other's link: no one waits in vain", async () => {
    const fixture = new EngineFixture()
    const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
    const [hers, his] = [await linkOf(alice), await linkOf(bob)]
    fixture.broker.tamper = (_topic, payload) => (payload.length === INIT_BYTES ? [] : [payload])
    const pairings = Promise.all([
      alice.client.call("pair-answer", { kind: "link", offer: his }),
      bob.client.call("pair-answer", { kind: "link", offer: hers }),
    ])
    await fixture.clock.pass(1_000)
    fixture.broker.tamper = (_topic, payload) => [payload]
    await fixture.clock.pass(10_000)
    expect((await pairings).map(({ contact }) => contact.name)).toEqual(["bob", "alice"])
    expect(await wordsAt(bob, "alice")).toEqual(await wordsAt(alice, "bob"))
  })

  test("[D-176] because each opens the other's link: eight of eight are done within 5 s, also if each is gone as soon as it is done", async () => {
    await loadPairing()
    for (let pairing = 0; pairing < 8; pairing++) {
      const { alice, bob, took } = await crossedLinks(30 * pairing)
      expect(took).toBeLessThan(5_000)
      await alice.start()
      await bob.start()
      await alice.fixture.clock.pass(2_000)
      const words = await wordsAt(alice, "bob")
      expect(words).toHaveLength(4)
      expect(await wordsAt(bob, "alice")).toEqual(words)
    }
  })

  test("and an INIT that lost changes nothing when the broker delivers it again much later", async () => {
    const { fixture, alice, bob } = await crossed()
    const inits = fixture.broker.seen.filter(({ payload }) => payload.length === INIT_BYTES)
    await fixture.clock.pass(60_000)
    for (const { topic, payload } of inits) fixture.broker.inject(topic, payload)
    await fixture.clock.pass(1_000)
    await expectGreetings({ fixture, alice, bob })
    expect([await alice.systemMessages("bob"), await bob.systemMessages("alice")]).toEqual([[], []])
  })
})
