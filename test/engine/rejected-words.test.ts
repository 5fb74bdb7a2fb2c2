import { describe, expect, test } from "vitest"
import { DAY_MS, HOUR_MS } from "../../src/time-units.ts"
import { replacedContact } from "./candidate.ts"
import { couple, type TestProfile } from "./engine-fixture.ts"
import { saysSame } from "./words-fixture.ts"

const LINE =
  "alice says that the words you compared are not the same: one of you may have read them wrongly, or someone is between " +
  "you. They are not VERIFIED any more; compare again: mqttchat verify alice"

const rejects = (profile: TestProfile, contact: string) =>
  profile.client.call("mark-verified", { contact, verified: false })
const linesOf = (bob: TestProfile) => bob.systemMessages("alice")
const isVerified = async (profile: TestProfile) => (await profile.client.call("contacts", {}))[0]?.verified

describe("when one side rejects the words, the other is told [D-141]", () => {
  test("at once, in one line, and the contact is not VERIFIED there any more", async () => {
    const { fixture, alice, bob } = await couple()
    await saysSame(bob, "alice")
    await rejects(alice, "bob")
    await fixture.clock.pass(100)
    expect(await linesOf(bob)).toEqual([LINE])
    expect(await isVerified(bob)).toBe(false)
    const rejections = bob.events.filter(({ kind }) => kind === "words-rejected")
    expect(rejections).toMatchObject([{ contact: "alice" }])
    expect(bob.events.flatMap((event) => (event.kind === "message" ? [event.message.text] : []))).toEqual([
      LINE,
    ])
    // Nothing is locked by what the other side says.
    await bob.send("alice", "let us look again")
    await fixture.clock.pass(100)
    expect(await alice.texts("bob")).toEqual(["let us look again"])
    await saysSame(bob, "alice")
    expect(await isVerified(bob)).toBe(true)
  })

  test("also if the person blocks them in the same breath, and nothing else leaves", async () => {
    const { fixture, alice, bob } = await couple()
    await bob.send("alice", "owed a receipt")
    await fixture.clock.pass(2)
    fixture.broker.close()
    await rejects(alice, "bob")
    await alice.client.call("block", { contact: "bob", blocked: true })
    fixture.broker.reopen()
    const seen = fixture.broker.seen.length
    await fixture.clock.pass(DAY_MS)
    expect(await linesOf(bob)).toEqual([LINE])
    const toBob = fixture.broker.seen.slice(seen).filter(({ topic }) => topic.includes(bob.deviceId))
    expect(toBob).toHaveLength(1)
    expect((await alice.store.load()).outgoing).toEqual([])
  })

  test("when they come back, once, however often it was said", async () => {
    const { fixture, alice, bob } = await couple()
    await bob.stop()
    for (let n = 0; n < 3; n++) await rejects(alice, "bob")
    await alice.stop()
    await alice.start()
    await rejects(alice, "bob")
    await fixture.clock.pass(HOUR_MS)
    await bob.start()
    await fixture.clock.pass(100)
    expect(await linesOf(bob)).toEqual([LINE])
  })

  test("also under a key that was not compared, which learns nothing else", async () => {
    const { fixture, alice, candidate, reached } = await replacedContact()
    await rejects(alice, "bob")
    await fixture.clock.pass(2 * HOUR_MS)
    expect(reached()).toBe(1)
    expect(await candidate.systemMessages("alice")).toEqual([LINE])
    await expect(alice.send("bob", "no")).rejects.toMatchObject({ code: "refused" })
  })

  test("a contact that was forgotten or is blocked before is told nothing", async () => {
    const { fixture, alice, bob } = await couple()
    await alice.client.call("block", { contact: "bob", blocked: true })
    await rejects(alice, "bob")
    await fixture.clock.pass(HOUR_MS)
    expect(await linesOf(bob)).toEqual([])
  })
})
