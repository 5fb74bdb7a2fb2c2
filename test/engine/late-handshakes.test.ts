import { describe, expect, test } from "vitest"
import { copyDisk, rollBackDisk } from "../faults/disks.ts"
import { EngineFixture } from "./engine-fixture.ts"
import { fileOf } from "./hostile-pairing.ts"
import { isInit, LateNetwork, NOTHING_HELD } from "./late-network.ts"

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS

const ESTABLISHED = ["established", "established"] as const

/** Nothing broke, and what either writes now is there at once. */
async function expectWhole(it: LateNetwork, renewals: readonly number[]): Promise<void> {
  expect(await it.states()).toEqual(ESTABLISHED)
  await it.exchange("is all well?")
  expect(await it.lastTexts()).toEqual(["is all well?", "is all well?"])
  await it.fixture.clock.pass(10 * MINUTE_MS)
  expect([await it.states(), await it.renewals(), it.notices()]).toEqual([ESTABLISHED, renewals, []])
}

describe("an INIT that comes after another was answered", () => {
  test("because it lost and the broker held it back: it changes nothing [D-32] [D-153]", async () => {
    const it = await LateNetwork.open()
    it.holds((frame) => isInit(frame) && frame.to === it.first)
    await it.reset(it.second)
    await it.reset(it.first)
    expect(await it.states()).toEqual(ESTABLISHED)
    it.holds(NOTHING_HELD)
    for (const init of it.held) await it.delivers(init)
    await expectWhole(it, [1, 1])
  })

  test.each(["first", "second"] as const)(
    "because the %s has made a later one, which was answered [D-31] [D-153]",
    async (who) => {
      const it = await LateNetwork.open()
      it.holds(isInit)
      await it.reset(it[who])
      const early = [...it.held]
      it.holds(NOTHING_HELD)
      await it.reset(it[who])
      expect(await it.states()).toEqual(ESTABLISHED)
      for (const init of early) await it.delivers(init)
      await expectWhole(it, [1, 1])
    },
  )

  test.each(["first", "second"] as const)(
    "because the %s has made a later one, whose answer is still under way [D-153]",
    async (who) => {
      const it = await LateNetwork.open()
      it.holds(isInit)
      await it.reset(it[who])
      const [early] = it.held
      it.holds((frame) => frame.to === it[who])
      await it.reset(it[who])
      await it.delivers(early!)
      const welcomes = it.held.filter((frame) => !isInit(frame))
      it.holds(NOTHING_HELD)
      for (const welcome of welcomes) await it.delivers(welcome)
      await expectWhole(it, [1, 1])
    },
  )

  test("because it seemed to be lost, and the other's counted instead [D-32] [D-153]", async () => {
    const it = await LateNetwork.open()
    it.holds((frame) => isInit(frame) && frame.to === it.second)
    await it.reset(it.first)
    await it.reset(it.second)
    await it.fixture.clock.pass(7 * SECOND_MS)
    expect(await it.states()).toEqual(ESTABLISHED)
    it.holds(NOTHING_HELD)
    for (const init of it.held) await it.delivers(init)
    await expectWhole(it, [1, 1])
  })

  test("several of them, of both [D-153]", async () => {
    const it = await LateNetwork.open()
    it.holds(isInit)
    for (let n = 0; n < 2; n++) for (const who of [it.first, it.second]) await it.reset(who)
    const early = [...it.held]
    it.holds(NOTHING_HELD)
    await it.reset(it.first)
    expect(await it.states()).toEqual(ESTABLISHED)
    for (const init of early.reverse()) await it.delivers(init)
    await expectWhole(it, [1, 1])
  })
})

describe("handshakes that cross", () => {
  test.each([1, 2])(
    "the losing one comes every %s s: it counts 3 s after it came first [D-32]",
    async (seconds) => {
      const it = await LateNetwork.open()
      it.holds(isInit)
      await it.reset(it.first)
      await it.reset(it.second)
      const losing = it.held.find(({ to }) => to === it.first)!
      for (let passed = 0; passed <= 4; passed += seconds) {
        await it.delivers(losing)
        await it.fixture.clock.pass(seconds * SECOND_MS)
      }
      await expectWhole(it, [1, 1])
    },
  )

  test("a new losing one comes every 2 s: that counts which comes 3 s after the first [D-32]", async () => {
    const it = await LateNetwork.open()
    it.holds(isInit)
    await it.reset(it.first)
    for (let n = 0; n < 3; n++) {
      await it.reset(it.second)
      await it.delivers(it.held.findLast(({ to }) => to === it.first)!)
      await it.fixture.clock.pass(2 * SECOND_MS)
    }
    await expectWhole(it, [1, 1])
  })

  test.each([1, 4, 10, 20])("while each frame takes %s s: one session is left [D-154]", async (seconds) => {
    const it = await LateNetwork.open()
    it.delays(seconds * SECOND_MS)
    await Promise.all([it.reset(it.first), it.reset(it.second)])
    await it.exchange("under way", 5 * seconds * SECOND_MS)
    expect(await it.lastTexts()).toEqual(["under way", "under way"])
    expect(await it.states()).toEqual(ESTABLISHED)
    it.holds(NOTHING_HELD)
    await it.fixture.clock.pass(10 * seconds * SECOND_MS)
    expect(it.notices()).toEqual([])
  })
})

test.each([1, 4, 10])(
  "two answers to files that cross, while each frame takes %s s, leave one session [D-154]",
  async (seconds) => {
    const fixture = new EngineFixture()
    const it = LateNetwork.of(fixture, await fixture.profile("alice"), await fixture.profile("bob"))
    const [hers, his] = [await fileOf(it.first), await fileOf(it.second)]
    it.delays(seconds * SECOND_MS)
    await it.first.client.call("pair-answer", { kind: "file", offer: his })
    await it.second.client.call("pair-answer", { kind: "file", offer: hers })
    await fixture.clock.pass(6 * seconds * SECOND_MS)
    it.holds(NOTHING_HELD)
    await fixture.clock.pass(MINUTE_MS)
    expect(await it.states()).toEqual(ESTABLISHED)
    await it.exchange("is all well?")
    expect(await it.lastTexts()).toEqual(["is all well?", "is all well?"])
  },
)

test("a disk put back to the middle of a pairing heals while its user says nothing [D-31]", async () => {
  const fixture = new EngineFixture()
  const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
  const it = LateNetwork.of(fixture, alice, bob)
  const file = await fileOf(bob)
  it.holds(() => true)
  await alice.client.call("pair-answer", { kind: "file", offer: file })
  await fixture.clock.pass(50)
  await copyDisk(alice)
  it.holds(NOTHING_HELD)
  await fixture.clock.pass(10 * SECOND_MS)
  for (let n = 0; n < 3; n++) await it.exchange(`number ${n}`)
  await rollBackDisk(alice)
  await bob.send("alice", "are you there?")
  await fixture.clock.pass(10 * MINUTE_MS)
  expect(await alice.texts("bob")).toContain("are you there?")
  expect(it.notices()).toEqual([])
})
