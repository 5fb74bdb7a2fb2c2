import { describe, expect, test } from "vitest"
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/time-units.ts"
import { couple, EngineFixture, lastMessageTo, type TestProfile } from "./engine-fixture.ts"

const TEXTS = Array.from({ length: 30 }, (_, n) => `text ${n}`)

async function restart(profile: TestProfile): Promise<void> {
  await profile.stop()
  await profile.start()
}

async function setTimer(profile: TestProfile, contact: string, timerSeconds: number): Promise<void> {
  await profile.client.call("timer", { contact, timerSeconds })
  await profile.fixture.clock.pass(100)
}

describe("[D-106] within one boot a clock that is set", () => {
  test("gives no text up that was written while it was 60 days behind", async () => {
    const { fixture, alice, bob } = await couple()
    await alice.stop()
    fixture.clock.jump(-60 * DAY_MS)
    fixture.broker.close()
    await alice.start()
    for (const text of TEXTS) await alice.send("bob", text)
    await alice.stop()
    fixture.clock.jump(60 * DAY_MS)
    fixture.broker.reopen()
    await alice.start()
    await fixture.clock.pass(MINUTE_MS)
    expect(await bob.texts("alice")).toEqual(TEXTS)
    expect(await alice.states("bob")).toEqual(TEXTS.map(() => "delivered"))
  })

  test("gives nothing up while it is 60 days ahead for ten seconds", async () => {
    const { fixture, alice, bob } = await couple()
    await bob.stop()
    for (const text of TEXTS) await alice.send("bob", text)
    await fixture.clock.pass(MINUTE_MS)
    fixture.clock.jump(60 * DAY_MS)
    await restart(alice)
    await fixture.clock.pass(10_000)
    fixture.clock.jump(-60 * DAY_MS)
    await restart(alice)
    await bob.start()
    await fixture.clock.pass(MINUTE_MS)
    expect(await bob.texts("alice")).toEqual(TEXTS)
    expect(await alice.states("bob")).toEqual(TEXTS.map(() => "delivered"))
    expect(await alice.systemMessages("bob")).toEqual([])
  })

  test.each([2 * HOUR_MS, 400 * DAY_MS])("by %i ms deletes no text before its time", async (ms) => {
    const { fixture, alice, bob } = await couple()
    await setTimer(alice, "bob", HOUR_MS / 1000)
    await alice.send("bob", "for an hour")
    await fixture.clock.pass(100)
    await bob.client.call("inbox", { markRead: true })
    fixture.clock.jump(ms)
    await restart(bob)
    await fixture.clock.pass(1_000)
    fixture.clock.jump(-ms)
    await restart(bob)
    await fixture.clock.pass(HOUR_MS - MINUTE_MS)
    expect(await bob.texts("alice")).toEqual(["for an hour"])
    fixture.clock.jump(-ms)
    await fixture.clock.pass(2 * MINUTE_MS)
    expect(await bob.texts("alice")).toEqual([])
  })

  test.each([5 * HOUR_MS, -5 * HOUR_MS])("by %i ms delays no repetition", async (ms) => {
    const { fixture, alice, bob } = await couple()
    fixture.broker.tamper = () => []
    fixture.clock.jump(ms)
    await alice.send("bob", "lost at first")
    await fixture.clock.pass(1_000)
    fixture.clock.jump(-ms)
    await restart(alice)
    fixture.broker.tamper = (_topic, payload) => [payload]
    await fixture.clock.pass(30_000)
    expect(await bob.texts("alice")).toEqual(["lost at first"])
  })

  test.each([-400, 400])("by %i days closes no offer and no way to recover", async (days) => {
    const fixture = new EngineFixture()
    const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
    await fixture.pair(alice, await fixture.profile("carol"))
    const offer = await alice.client.call("pair-offer", { kind: "file", wordCount: 2 })
    const open = async () => (await alice.store.load()).openBundles.length
    const before = await open()
    fixture.clock.jump(days * DAY_MS)
    await restart(alice)
    await fixture.clock.pass(HOUR_MS)
    fixture.clock.jump(-days * DAY_MS)
    await restart(alice)
    expect(await open()).toBe(before)
    if (offer.kind !== "file") throw new Error("not a file")
    expect((await alice.client.call("offers", {})).map(({ expiresAt }) => expiresAt)).toEqual([
      offer.expiresAt,
    ])
    await bob.client.call("pair-answer", { kind: "file", offer: offer.file })
    await fixture.clock.pass(1_000)
    expect((await alice.client.call("contacts", {})).map(({ name }) => name)).toContain("bob")
  })

  test.each([-400, 400])("by %i days changes no muting", async (days) => {
    const { fixture, alice } = await couple()
    const until = fixture.clock.now() + 8 * HOUR_MS
    await alice.client.call("mute", { contact: "bob", until })
    fixture.clock.jump(days * DAY_MS)
    const muting = async () => (await alice.client.call("conversations", {}))[0]
    expect(await muting()).toMatchObject({ muted: true, mutedUntil: until + days * DAY_MS })
    await fixture.clock.pass(8 * HOUR_MS + 1)
    expect(await muting()).toMatchObject({ muted: false })
  })

  test("[D-108] dates texts as it shows, and is told once when it contradicts what is known [D-109]", async () => {
    const { fixture, alice, bob } = await couple()
    fixture.clock.jump(-60 * DAY_MS)
    const shown = fixture.clock.now()
    await alice.send("bob", "from the past")
    await fixture.clock.pass(3 * HOUR_MS)
    expect((await bob.read("alice"))[0]?.sentAt).toBe(shown)
    const notices = alice.events.filter((event) => event.kind === "notice")
    expect(notices.map(({ text }) => text)).toEqual([
      "this machine's clock shows 2026-11-16, but 2027-01-15 was expected: check this machine's clock",
    ])
  })
})

describe("[D-106] a suspension counts as time", () => {
  test("what ended meanwhile is deleted, and what was due goes out, soon after", async () => {
    const { fixture, alice, bob } = await couple()
    await setTimer(alice, "bob", HOUR_MS / 1000)
    await alice.send("bob", "for an hour")
    await fixture.clock.pass(100)
    await bob.client.call("inbox", { markRead: true })
    fixture.broker.tamper = () => []
    await alice.send("bob", "lost at first")
    await fixture.clock.pass(15 * MINUTE_MS)
    fixture.clock.suspend(8 * HOUR_MS)
    fixture.broker.tamper = (_topic, payload) => [payload]
    await fixture.clock.pass(MINUTE_MS)
    expect(await bob.texts("alice")).toEqual(["lost at first"])
  })
})

describe("[D-107] after a boot", () => {
  async function received(fixture: EngineFixture, bob: TestProfile, alice: TestProfile): Promise<void> {
    await setTimer(alice, "bob", DAY_MS / 1000)
    await alice.send("bob", "for a day")
    await fixture.clock.pass(100)
    await bob.client.call("inbox", { markRead: true })
  }

  test.each([
    [DAY_MS, []],
    [HOUR_MS, ["for a day"]],
  ])("the time that the machine was off counts (%i ms)", async (ms, left) => {
    const { fixture, alice, bob } = await couple()
    await received(fixture, bob, alice)
    await bob.stop()
    fixture.clock.reboot(ms)
    await bob.start()
    await fixture.clock.pass(100)
    expect(await bob.texts("alice")).toEqual(left)
  })

  test.each([60, 400])("a clock that is %i days ahead deletes nothing", async (days) => {
    const { fixture, alice, bob } = await couple()
    await received(fixture, bob, alice)
    await bob.stop()
    fixture.clock.reboot(HOUR_MS)
    fixture.clock.jump(days * DAY_MS)
    await bob.start()
    await fixture.clock.pass(2 * MINUTE_MS)
    expect(bob.events.filter(({ kind }) => kind === "notice")).toHaveLength(1)
    expect((await bob.client.call("status", {})).clock).not.toBeNull()
    fixture.clock.jump(-days * DAY_MS)
    await fixture.clock.pass(22 * HOUR_MS)
    expect(await bob.texts("alice")).toEqual(["for a day"])
    await fixture.clock.pass(HOUR_MS)
    expect(await bob.texts("alice")).toEqual([])
  })

  test("a month counts once a contact bears the clock out, and ends no timer that began meanwhile", async () => {
    const { fixture, alice, bob } = await couple()
    await received(fixture, bob, alice)
    await Promise.all([alice.stop(), bob.stop()])
    fixture.clock.reboot(30 * DAY_MS)
    await bob.start()
    await fixture.clock.pass(30_000)
    expect(await bob.texts("alice")).toEqual(["for a day"])
    await alice.start()
    await alice.send("bob", "the clock is right")
    await fixture.clock.pass(1_000)
    await bob.client.call("inbox", { markRead: true })
    await fixture.clock.pass(1_000)
    expect(await bob.texts("alice")).toEqual(["the clock is right"])
    expect(bob.events.filter(({ kind }) => kind === "notice")).toEqual([])
    expect((await bob.client.call("status", {})).clock).toBeNull()
    await fixture.clock.pass(23 * HOUR_MS)
    expect(await bob.texts("alice")).toEqual(["the clock is right"])
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await bob.texts("alice")).toEqual([])
  })
})

describe("[D-10] a text is given up after tries on 30 different days", () => {
  test("on a laptop that is opened on Sundays after 30 Sundays", async () => {
    const { fixture, alice } = await couple()
    fixture.broker.tamper = () => []
    await alice.send("bob", "into the void")
    for (let sunday = 1; sunday <= 30; sunday++) {
      await fixture.clock.pass(HOUR_MS)
      expect(await alice.states("bob")).toEqual(["broker"])
      fixture.clock.suspend(7 * DAY_MS - HOUR_MS)
    }
    await fixture.clock.pass(MINUTE_MS)
    expect(await alice.states("bob")).toEqual(["given-up"])
  })

  test("never without a try, and at once when the broker is back", async () => {
    const { fixture, alice, bob } = await couple()
    fixture.broker.close()
    await alice.send("bob", "a year ago")
    await alice.stop()
    fixture.clock.suspend(365 * DAY_MS)
    fixture.broker.reopen()
    await alice.start()
    await fixture.clock.pass(100)
    expect(await bob.texts("alice")).toEqual(["a year ago"])
  })

  test("[D-60] what comes again half a year later is acknowledged, and no sign of a lost state", async () => {
    const { fixture, alice, bob } = await couple()
    await alice.send("bob", "once")
    const { topic, payload } = lastMessageTo(fixture, bob)
    await fixture.clock.pass(MINUTE_MS)
    for (let n = 0; n < 300; n++) await alice.send("bob", `${n}`)
    await fixture.clock.pass(MINUTE_MS)
    fixture.clock.suspend(180 * DAY_MS)
    await fixture.clock.pass(MINUTE_MS)
    await bob.client.call("delete-all", { contact: "alice" })
    const sent = fixture.broker.seen.length
    for (let n = 0; n < 5; n++) fixture.broker.inject(topic, payload)
    await fixture.clock.pass(MINUTE_MS)
    expect(fixture.broker.seen.length).toBeGreaterThan(sent)
    expect(await bob.texts("alice")).toEqual([])
    expect((await bob.store.load()).devices.map(({ state }) => state)).toEqual(["established"])
  })
})

describe("[D-109] an offer that is over by this machine's clock", () => {
  const fast = (fixture: EngineFixture) => ({ wallClock: () => fixture.clock.now() + 20 * DAY_MS })
  const clockHint = { hint: "check this machine's clock, and theirs; if both are right, ask for a new offer" }

  test("says so with both days, and is good once the clock is right", async () => {
    const fixture = new EngineFixture()
    const alice = await fixture.profile("alice")
    const carol = await fixture.profile("carol", fast(fixture))
    const file = await alice.client.call("pair-offer", { kind: "file", wordCount: 2 })
    if (file.kind !== "file") throw new Error("not a file")
    const message =
      "this offer ended on 2027-01-22, and this machine's clock shows 2027-02-04; no contact was saved"
    await expect(carol.client.call("pair-answer", { kind: "file", offer: file.file })).rejects.toMatchObject({
      code: "bad-data",
      message,
      ...clockHint,
    })
    const bob = await fixture.profile("bob")
    await bob.client.call("pair-answer", { kind: "file", offer: file.file })
    await fixture.clock.pass(1_000)
    expect((await alice.client.call("contacts", {})).map(({ name }) => name)).toEqual(["bob"])
  })

  test("ends a pairing by code the same way, and the side that shows the code blames no code", async () => {
    const fixture = new EngineFixture()
    const [alice, carol] = [await fixture.profile("alice"), await fixture.profile("carol", fast(fixture))]
    const offering = alice.client.call("pair-offer", { kind: "code", wordCount: 2 })
    await fixture.clock.pass(1_000)
    const offer = await offering
    if (offer.kind !== "code") throw new Error("not a code")
    const answer = carol.client.call("pair-answer", { kind: "code", offer: offer.code })
    answer.catch(() => undefined)
    await fixture.clock.pass(10_000)
    await expect(answer).rejects.toMatchObject({ code: "bad-data", ...clockHint })
    await fixture.clock.pass(5 * MINUTE_MS)
    const failures = alice.events.filter((event) => event.kind === "pair-failed")
    expect(failures.map(({ reason }) => reason)).toEqual([
      "the other side has the code and did not finish; it still can for a day",
    ])
  })
})
