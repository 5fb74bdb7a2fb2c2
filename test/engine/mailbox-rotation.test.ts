import { describe, expect, test } from "vitest"
import { isRotationDue } from "../../src/engine/handshake/mailbox-rotation.ts"
import { openState } from "../../src/engine/state/engine-state.ts"
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/time-units.ts"
import {
  establishedCouple,
  exchange,
  expectWhole,
  mailboxesAt,
  mailboxOf,
  oldOf,
  textsBy,
  topicsOf,
  WEEK_MS,
  type Couple,
} from "./mailbox-fixture.ts"

describe("the mailboxes of two people", () => {
  test("are replaced after a week, when the other side is heard of [D-160] [D-161]", async () => {
    const both = await establishedCouple()
    const { fixture, alice } = both
    const first = await mailboxOf(alice)
    await fixture.clock.pass(WEEK_MS - DAY_MS)
    await exchange(both, "not yet")
    expect(await mailboxOf(alice)).toBe(first)
    await fixture.clock.pass(DAY_MS)
    expect(await mailboxOf(alice)).toBe(first)
    await exchange(both, "a week later")
    expect(await mailboxOf(alice)).not.toBe(first)
    expect(await oldOf(alice)).toEqual([first])
    expect(topicsOf(fixture, alice)).toHaveLength(2)
    await exchange(both, "and on")
    await expectWhole(both)
  })

  test("bring a new recovery bundle; the one before is good as long as the mailbox before [D-166]", async () => {
    const both = await establishedCouple()
    const { fixture, alice, bob } = both
    const first = (await mailboxesAt(bob)).device.recoveryBundle
    await fixture.clock.pass(WEEK_MS)
    await exchange(both, "a week later")
    expect((await mailboxesAt(bob)).device.recoveryBundle).not.toEqual(first)
    const now = Math.floor(fixture.clock.now() / 1000)
    const daysLeft = (await alice.store.load()).openBundles.map(({ notAfter }) => (notAfter - now) / 86_400)
    expect(daysLeft.filter((days) => days > 29 && days <= 30)).toHaveLength(1)
    expect(daysLeft.filter((days) => days > 30)).toHaveLength(1)
  })

  test("are replaced after a thousand texts of both [D-160]", async () => {
    const both = await establishedCouple()
    const { fixture, alice, bob } = both
    const before = [await mailboxOf(alice), await mailboxOf(bob)]
    for (let n = 0; n < 997; n += 1) await alice.send("bob", `text ${n}`)
    await fixture.clock.pass(10_000)
    expect([await mailboxOf(alice), await mailboxOf(bob)]).toEqual(before)
    await exchange(both, "the last of a thousand")
    expect(await oldOf(alice)).toEqual([before[0]])
    expect(await oldOf(bob)).toEqual([before[1]])
    await expectWhole(both)
  })

  test("are three at most: an old one stays 30 days after the peer has left it, and a third rotation waits [D-162]", async () => {
    const both = await establishedCouple()
    const { fixture, alice } = both
    const seen = [await mailboxOf(alice)]
    const rotatedOn: number[] = []
    for (let day = 1; day <= 60; day += 1) {
      await fixture.clock.pass(DAY_MS - 2_000)
      await exchange(both, `day ${day}`)
      const now = await mailboxOf(alice)
      if (now !== seen.at(-1)) rotatedOn.push(day)
      if (now !== seen.at(-1)) seen.push(now)
      expect((await oldOf(alice)).length).toBeLessThanOrEqual(2)
      expect(topicsOf(fixture, alice).length).toBeLessThanOrEqual(3)
    }
    expect(rotatedOn.slice(0, 2)).toEqual([7, 14])
    expect(rotatedOn[2]).toBeGreaterThanOrEqual(37)
    expect(rotatedOn.length).toBeGreaterThanOrEqual(4)
    await expectWhole(both)
  })

  test("stay while the other side is not heard of, and while one is away [D-160]", async () => {
    const both = await establishedCouple()
    const { fixture, alice, bob } = both
    const before = await mailboxOf(alice)
    await bob.stop()
    await fixture.clock.pass(3 * WEEK_MS)
    await alice.send("bob", "are you there?")
    await fixture.clock.pass(DAY_MS)
    expect(await mailboxOf(alice)).toBe(before)
    await bob.start()
    await fixture.clock.pass(HOUR_MS)
    await exchange(both, "back")
    expect(await oldOf(alice)).toEqual([before])
    await expectWhole(both)
  })
})

describe("a rotation", () => {
  test("is named only after the SUBACK; a broker that refuses is asked again a day later [D-161] [D-163]", async () => {
    const both = await establishedCouple()
    const { fixture, alice, bob } = both
    const before = await mailboxOf(alice)
    await fixture.clock.pass(WEEK_MS)
    let refused = 0
    fixture.broker.refusesFilter = (topic) => topic.includes(alice.deviceId) && ++refused > 0
    for (let n = 0; n < 5; n += 1) await exchange(both, `text ${n}`)
    expect([await mailboxOf(alice), refused]).toEqual([before, 1])
    expect(alice.events.filter(({ kind }) => kind === "notice")).toEqual([])
    fixture.broker.refusesFilter = () => false
    await fixture.clock.pass(DAY_MS)
    await exchange(both, "a day later")
    expect(await oldOf(alice)).toEqual([before])
    expect(await textsBy(bob, "alice")).toHaveLength(7)
    await expectWhole(both)
  })

  test("is taken back when the connection ends before the SUBACK, and leaves no subscription [D-163]", async () => {
    const both = await establishedCouple()
    const { fixture, alice } = both
    const before = await mailboxOf(alice)
    await fixture.clock.pass(WEEK_MS)
    fixture.broker.refusesFilter = (topic) => {
      if (topic.includes(alice.deviceId)) fixture.broker.close()
      return false
    }
    await exchange(both, "cut")
    fixture.broker.refusesFilter = () => false
    fixture.broker.reopen()
    await exchange(both, "back")
    await fixture.clock.pass(MINUTE_MS)
    expect(await mailboxOf(alice)).toBe(before)
    expect(topicsOf(fixture, alice)).toHaveLength(1)
    await fixture.clock.pass(DAY_MS)
    await exchange(both, "a day later")
    expect(await oldOf(alice)).toEqual([before])
    await expectWhole(both)
  })

  test("survives the death of either process at any commit, of both who rotate at once [D-163]", async () => {
    for (let commits = 1; commits <= 12; commits += 1) {
      for (const who of ["alice", "bob"] as const) await expectWhole(await dying(who, commits))
    }
  })

  test("survives the loss of any frame, and of every first copy", async () => {
    for (let lost = 0; lost <= 10; lost += 1) {
      const both = await establishedCouple()
      const { fixture } = both
      await fixture.clock.pass(WEEK_MS)
      let passed = 0
      fixture.broker.tamper = (_topic, payload) => (passed++ === lost ? [] : [payload])
      await exchange(both, "with a loss")
      await fixture.clock.pass(MINUTE_MS)
      await exchange(both, "after it")
      await fixture.clock.pass(MINUTE_MS)
      expect(await oldOf(both.alice)).toHaveLength(1)
      await expectWhole(both)
    }
  })

  test("sends a text that waits for its receipt to the new mailbox, as the same bytes [D-164] [D-1]", async () => {
    const both = await establishedCouple()
    const { fixture, bob } = both
    await fixture.clock.pass(WEEK_MS)
    let lost: Uint8Array | undefined
    fixture.broker.tamper = (_topic, payload) => (lost === undefined ? ((lost = payload), []) : [payload])
    await bob.send("alice", "lost at first")
    await fixture.clock.pass(100)
    await bob.send("alice", "at once")
    await fixture.clock.pass(MINUTE_MS)
    const copies = fixture.broker.seen.filter(
      ({ payload }) => lost !== undefined && equalBytes(payload, lost),
    )
    expect(new Set(copies.map(({ topic }) => topic)).size).toBe(2)
    await exchange(both, "later")
    await expectWhole(both)
  })
})

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** Both are due; one of them dies after so many commits, and comes back. */
async function dying(who: "alice" | "bob", commits: number): Promise<Couple> {
  const both = await establishedCouple()
  const { fixture } = both
  await fixture.clock.pass(WEEK_MS)
  both[who].diesAfter(commits)
  for (const [from, to] of [
    ["alice", "bob"],
    ["bob", "alice"],
  ] as const) {
    void both[from].send(to, "in between").catch(() => undefined)
    await fixture.clock.pass(1_000)
  }
  await both[who].crash()
  await both[who].start()
  await fixture.clock.pass(MINUTE_MS)
  await exchange(both, "after it")
  await fixture.clock.pass(DAY_MS)
  await exchange(both, "a day later")
  expect(await oldOf(both.alice)).toHaveLength(1)
  expect(await oldOf(both.bob)).toHaveLength(1)
  return both
}

describe("a contact who is", () => {
  test("blocked has no mailbox at the broker, and all of them again when unblocked", async () => {
    const both = await establishedCouple()
    const { fixture, alice } = both
    await fixture.clock.pass(WEEK_MS)
    await exchange(both, "rotated")
    expect(topicsOf(fixture, alice)).toHaveLength(2)
    await alice.client.call("block", { contact: "bob", blocked: true })
    await fixture.clock.pass(1_000)
    expect(topicsOf(fixture, alice)).toEqual([])
    await alice.client.call("block", { contact: "bob", blocked: false })
    await fixture.clock.pass(1_000)
    expect(topicsOf(fixture, alice)).toHaveLength(2)
  })

  test("forgotten leaves none", async () => {
    const both = await establishedCouple()
    const { fixture, alice } = both
    await fixture.clock.pass(WEEK_MS)
    await exchange(both, "rotated")
    await alice.client.call("forget", { contact: "bob" })
    await fixture.clock.pass(1_000)
    expect(topicsOf(fixture, alice)).toEqual([])
  })

  test("paired with again leaves only the new one", async () => {
    const both = await establishedCouple()
    const { fixture, alice, bob } = both
    await fixture.clock.pass(WEEK_MS)
    await exchange(both, "rotated")
    await fixture.pair(alice, bob)
    await exchange(both, "paired again")
    expect(topicsOf(fixture, alice)).toHaveLength(1)
    await expectWhole(both)
  })
})

test("a mailbox that a contact needs takes the room of one that was left, where a broker has no more [D-162]", async () => {
  const both = await establishedCouple()
  const { fixture, alice } = both
  await fixture.clock.pass(WEEK_MS)
  await exchange(both, "rotated")
  expect(topicsOf(fixture, alice)).toHaveLength(2)
  const has = (topic: string): boolean => topicsOf(fixture, alice).includes(topic)
  fixture.broker.refusesFilter = (topic) =>
    topic.includes(alice.deviceId) && !has(topic) && topicsOf(fixture, alice).length >= 2
  const carol = await fixture.profile("carol")
  await fixture.pair(alice, carol)
  await carol.send("alice", "it is me")
  await fixture.clock.pass(1_000)
  expect(await alice.texts("carol")).toEqual(["it is me"])
  expect(await oldOf(alice)).toEqual([])
  expect(topicsOf(fixture, alice)).toHaveLength(2)
  await exchange(both, "and Bob")
  await alice.stop()
  await alice.start()
  expect(await alice.client.call("status", {})).toMatchObject({ refusedMailboxes: 0 })
  await exchange(both, "still there")
  expect(await textsBy(both.bob, "alice")).toEqual(await alice.texts("bob"))
})

test("no rotation begins at 11,000 mailboxes, for contacts and offers need what the broker has left [D-162]", async () => {
  const { fixture, alice } = await establishedCouple()
  const state = openState(await alice.store.load())
  const [device] = [...state.devices.keys()]
  if (device === undefined) throw new Error("no device")
  const now = fixture.clock.now() + WEEK_MS
  for (let n = state.mailboxes.size; n < 10_999; n += 1) state.mailboxes.set(`another ${n}`, 1000 + n)
  expect(isRotationDue(state, device, now)).toBe(true)
  state.mailboxes.set("the last", 1)
  expect(isRotationDue(state, device, now)).toBe(false)
})
