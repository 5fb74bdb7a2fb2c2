import { expect, test } from "vitest"
import { toHex } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { copyDisk, rollBackDisk } from "../faults/disks.ts"
import { lastMessageTo } from "./engine-fixture.ts"
import { isInit, LateNetwork } from "./late-network.ts"

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS

async function openNetwork() {
  const it = await LateNetwork.open()
  const { broker, clock } = it.fixture
  const { topic } = lastMessageTo(it.fixture, it.first)
  /** The same bytes that fit nothing, three times, as from someone who waits for a receipt. */
  const repeats = async (every = 4 * SECOND_MS): Promise<void> => {
    const frame = systemRandom(256)
    for (let n = 0; n < 3; n++) {
      broker.inject(topic, frame)
      await clock.pass(every)
    }
  }
  const inits = (): number =>
    new Set(broker.seen.filter(isInit).map(({ payload }) => toHex(payload.subarray(0, 48)))).size
  const before = inits()
  return { it, topic, repeats, handshakes: () => inits() - before }
}

test("[D-30] begins a handshake again 1, 5 and 30 minutes and then 2 hours after one without an answer", async () => {
  const { it, repeats, handshakes } = await openNetwork()
  await it.second.stop()
  const counts: number[] = []
  for (const minutes of [0, 0.5, 1, 2, 4, 10, 25, 60, 100]) {
    await it.fixture.clock.pass(minutes * MINUTE_MS)
    await repeats()
    counts.push(handshakes())
  }
  expect(counts).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5])
  for (let n = 0; n < 3; n++) {
    await it.fixture.clock.pass(2 * HOUR_MS)
    await repeats()
  }
  expect(handshakes()).toBe(8)
  expect(it.notices()).toEqual([])
})

test("[D-30] begins at once again when a session was confirmed, 10 s after the last at the earliest, and says nothing", async () => {
  const { it, repeats, handshakes } = await openNetwork()
  for (let n = 0; n < 6; n++) {
    await repeats()
    await it.fixture.clock.pass(MINUTE_MS)
  }
  expect(handshakes()).toBe(6)
  const counts: number[] = []
  for (const every of [4, 4, 1.5, 1.5, 1.5, 1.5]) {
    await repeats(every * SECOND_MS)
    counts.push(handshakes())
  }
  expect(counts).toEqual([7, 8, 8, 9, 9, 9])
  expect(it.notices()).toEqual([])
})

test("[D-30] frames that come once are no sign of a lost state, however many they are", async () => {
  const { it, topic, handshakes } = await openNetwork()
  for (let n = 0; n < 40; n++) {
    it.fixture.broker.inject(topic, systemRandom(256))
    if (n % 4 === 0) await it.fixture.clock.pass(5 * SECOND_MS)
  }
  expect(handshakes()).toBe(0)
  expect(it.notices()).toEqual([])
})

test("a broker that is put back to an old disk delivers all of it again: nothing is shown twice, and nothing is said [D-30]", async () => {
  const { it, handshakes } = await openNetwork()
  const { broker, clock } = it.fixture
  for (let n = 0; n < 100; n++) await it.exchange(`last week ${n}`, 20)
  await it.reset(it.first)
  for (let n = 0; n < 100; n++) await it.exchange(`this week ${n}`, 20)
  const before = [await it.first.texts(it.second.name), await it.second.texts(it.first.name)]
  const handshakesBefore = handshakes()
  for (const { topic, payload } of [...broker.seen]) broker.inject(topic, payload)
  await clock.pass(10 * MINUTE_MS)
  expect([await it.first.texts(it.second.name), await it.second.texts(it.first.name)]).toEqual(before)
  expect([handshakes() - handshakesBefore, await it.renewals(), it.notices()]).toEqual([0, [1, 1], []])
})

test.each(["first", "second"] as const)(
  "two disks put back within a minute heal, while many frames are under way: one line for each, and no alarm (the %s's) [D-30]",
  async (who) => {
    const { it } = await openNetwork()
    const [self, peer] = [it[who], it.other(it[who])]
    await copyDisk(self)
    for (let time = 1; time <= 2; time++) {
      for (let n = 0; n < 10; n++) await it.exchange(`lost ${time} ${n}`, 20)
      await rollBackDisk(self)
      for (let n = 0; n < 100; n++) await peer.send(self.name, `under way ${time} ${n}`)
      await self.send(peer.name, `here again ${time}`)
      await it.fixture.clock.pass(20 * SECOND_MS)
    }
    await it.fixture.clock.pass(2 * MINUTE_MS)
    await it.exchange("healed")
    expect(await it.lastTexts()).toEqual(["healed", "healed"])
    expect((await self.texts(peer.name)).filter((text) => text.startsWith("under way 2"))).toHaveLength(100)
    expect((await it.renewals())[who === "first" ? 1 : 0]).toBe(2)
    expect(it.notices()).toEqual([])
  },
)

test.each(["first", "second"] as const)(
  "a disk put back to the middle of a recovery heals while its user says nothing (the %s's) [D-155]",
  async (who) => {
    const { it } = await openNetwork()
    const [self, peer] = [it[who], it.other(it[who])]
    it.holds(() => true)
    await it.reset(self)
    await copyDisk(self)
    it.holds(() => false)
    await it.fixture.clock.pass(10 * SECOND_MS)
    for (let n = 0; n < 3; n++) await it.exchange(`number ${n}`)
    await rollBackDisk(self)
    await peer.send(self.name, "are you there?")
    await it.fixture.clock.pass(5 * MINUTE_MS)
    expect(await self.texts(peer.name)).toContain("are you there?")
    await it.exchange("healed")
    expect(await it.lastTexts()).toEqual(["healed", "healed"])
    expect(it.notices()).toEqual([])
  },
)
