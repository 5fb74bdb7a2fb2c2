import { describe, expect, test } from "vitest"
import { DAY_MS, HOUR_MS } from "../../src/time-units.ts"
import { MODE } from "../../src/session/handshake.ts"
import { lastMessageTo } from "./engine-fixture.ts"
import { fileOf } from "./hostile-pairing.ts"
import { profileKnownTo, answers, introduces, names, questions, trio } from "./introduction-fixture.ts"
import { cutOff, twoDevices } from "./two-devices.ts"

describe("Alice introduces Bob to Carol", () => {
  test("[D-80] both are asked, then they write to each other; neither is verified, and both know by whom", async () => {
    const people = await trio()
    const { fixture, alice, bob, carol } = people
    const begun = await alice.client.call("introduce", { contact: "bob", to: "carol" })
    expect(begun).toMatchObject({ contact: "carol", role: "introducer", name: "bob", state: "asked" })
    await fixture.clock.pass(200)
    expect(await questions(bob)).toEqual([])
    const [asked] = await questions(carol)
    expect(asked).toMatchObject({ contact: "alice", role: "owner", name: "bob", isQuestion: true })
    expect(carol.events).toContainEqual({ kind: "introduction", introduction: asked })
    expect((await carol.systemMessages("alice")).at(-1)).toBe(
      `alice asks whether you want to meet bob: mqttchat introductions accept ${asked?.id}, or refuse ${asked?.id}`,
    )
    await answers(carol, true)
    await fixture.clock.pass(200)
    expect(await names(carol)).toEqual(["alice"])
    expect((await bob.systemMessages("alice")).at(-1)).toMatch(/^alice introduces carol to you: mqttchat/)
    await answers(bob, true)
    await fixture.clock.pass(200)
    const atBob = (await bob.client.call("contacts", {})).find(({ name }) => name === "carol")
    const atCarol = (await carol.client.call("contacts", {})).find(({ name }) => name === "bob")
    expect(atBob).toMatchObject({ verified: false, introducedBy: "alice" })
    expect(atCarol).toMatchObject({ verified: false, introducedBy: "alice" })
    await bob.send("carol", "hello, Carol")
    await fixture.clock.pass(200)
    await carol.send("bob", "hello, Bob")
    await fixture.clock.pass(200)
    expect(await carol.texts("bob")).toEqual(["hello, Carol"])
    expect(await bob.texts("carol")).toEqual(["hello, Bob"])
    const words = async (profile: typeof bob, contact: string) =>
      (await profile.client.call("verify", { contact })).words
    expect(await words(bob, "carol")).toEqual(await words(carol, "bob"))
    expect(await names(alice)).toEqual(["bob", "carol"])
    for (const profile of [bob, carol]) expect(await questions(profile)).toEqual([])
  })

  test("[D-80] a no is told to no one, and is not asked again within a week", async () => {
    const { fixture, alice, bob, carol } = await trio()
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(200)
    const sent = fixture.broker.seen.length
    expect(await answers(carol, false)).toMatchObject({ state: "refused", isQuestion: false })
    await fixture.clock.pass(1_000)
    expect(fixture.broker.seen).toHaveLength(sent)
    expect(await questions(bob)).toEqual([])
    await expect(alice.client.call("introduce", { contact: "bob", to: "carol" })).rejects.toMatchObject({
      code: "exists",
    })
  })

  test("[D-80] Bob says no: Carol's bundle stays unanswered, and no contact comes of it", async () => {
    const { fixture, alice, bob, carol } = await trio()
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(200)
    await answers(carol, true)
    await fixture.clock.pass(200)
    await answers(bob, false)
    await fixture.clock.pass(1_000)
    expect(await names(bob)).toEqual(["alice"])
    expect(await names(carol)).toEqual(["alice"])
    expect(await carol.client.call("offers", {})).toEqual([])
  })

  test("[D-81] every process may end between any two steps, and every one may be away for days", async () => {
    const { fixture, alice, bob, carol } = await trio()
    await bob.stop()
    await carol.stop()
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(2 * DAY_MS)
    await alice.crash()
    await carol.start()
    await fixture.clock.pass(2 * HOUR_MS)
    await answers(carol, true)
    await carol.crash()
    await fixture.clock.pass(2 * DAY_MS)
    await carol.start()
    await fixture.clock.pass(2 * HOUR_MS)
    await alice.start()
    await fixture.clock.pass(2 * HOUR_MS)
    await alice.crash()
    await bob.start()
    await alice.start()
    await fixture.clock.pass(2 * HOUR_MS)
    await answers(bob, true)
    await bob.crash()
    await bob.start()
    await fixture.clock.pass(2 * HOUR_MS)
    await bob.send("carol", "hello at last")
    await fixture.clock.pass(1_000)
    expect(await carol.texts("bob")).toEqual(["hello at last"])
  })

  test("[D-81] Carol agrees while Alice pairs with Bob again: he is told once it is certain that it is he", async () => {
    const { fixture, alice, bob, carol } = await trio()
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(200)
    const file = await fileOf(bob)
    await bob.stop()
    await alice.client.call("pair-answer", { kind: "file", offer: file })
    await answers(carol, true)
    await fixture.clock.pass(200)
    expect(await alice.client.call("introductions", {})).toMatchObject([{ state: "agreed" }])
    await bob.start()
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await questions(bob)).toHaveLength(1)
  })

  test("[D-81] after a week neither the question nor the bundle can be answered", async () => {
    const { fixture, alice, bob, carol } = await trio()
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(200)
    const [asked] = await questions(carol)
    await answers(carol, true)
    await fixture.clock.pass(200)
    const [met] = await questions(bob)
    await fixture.clock.pass(7 * DAY_MS + HOUR_MS)
    const call = { id: met?.id ?? 0, accept: true }
    await expect(bob.client.call("introduction-answer", call)).rejects.toMatchObject({ code: "not-found" })
    expect(await carol.client.call("introductions", {})).toEqual([])
    await expect(
      carol.client.call("introduction-answer", { id: asked?.id ?? 0, accept: true }),
    ).rejects.toMatchObject({ code: "not-found" })
  })
})

describe("[D-83] an account of two devices, whose chain has more links than fit beside the HELLO", () => {
  test("its second device answers an introduction, and the bundle is open until all links are judged", async () => {
    const { fixture, alice, phone } = await twoDevices()
    const carol = await profileKnownTo(fixture, alice, "carol")
    await introduces({ fixture, alice, bob: phone, carol })
    await phone.send("carol", "from my phone")
    await fixture.clock.pass(200)
    expect(await carol.texts("bob")).toEqual(["from my phone"])
    const atCarol = (await carol.client.call("contacts", {})).find(({ name }) => name === "bob")
    expect(atCarol).toMatchObject({ verified: false, introducedBy: "alice" })
    expect((await carol.store.load()).openBundles.filter(({ mode }) => mode === MODE.introduction)).toEqual(
      [],
    )
    expect(await carol.client.call("introductions", {})).toEqual([])
  })

  test("its first device is asked, and the other one, which agrees", async () => {
    const { fixture, alice, laptop, phone } = await twoDevices()
    const carol = await profileKnownTo(fixture, alice, "carol")
    await alice.client.call("introduce", { contact: "carol", to: "bob" })
    await fixture.clock.pass(200)
    expect(await questions(laptop)).toHaveLength(1)
    await answers(phone, true)
    await fixture.clock.pass(200)
    await answers(carol, true)
    await fixture.clock.pass(200)
    await carol.send("bob", "hello, Bob")
    await fixture.clock.pass(200)
    expect(await phone.texts("carol")).toEqual(["hello, Bob"])
  })
})

describe("who may introduce, and whom", () => {
  test("[D-82] those who know each other are not asked, and keep what they have compared", async () => {
    const { fixture, alice, bob, carol } = await trio()
    await fixture.pair(bob, carol)
    await carol.client.call("mark-verified", { contact: "bob", verified: true })
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(200)
    expect(await questions(carol)).toEqual([])
    expect((await carol.systemMessages("alice")).at(-1)).toBe("alice would introduce bob, whom you know")
    const atCarol = (await carol.client.call("contacts", {})).find(({ name }) => name === "bob")
    expect(atCarol).toMatchObject({ verified: true, introducedBy: null })
  })

  test("[D-82] they met in another way before they answered", async () => {
    const { fixture, alice, bob, carol } = await trio()
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(200)
    const [asked] = await questions(carol)
    await fixture.pair(bob, carol)
    expect(await questions(carol)).toEqual([])
    const call = { id: asked?.id ?? 0, accept: true }
    await expect(carol.client.call("introduction-answer", call)).rejects.toMatchObject({ code: "exists" })
  })

  test("[D-82] Bob pairs with Carol, who is away, before he agrees: that pairing stays, and is finished", async () => {
    const { fixture, alice, bob, carol } = await trio()
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(200)
    await answers(carol, true)
    await fixture.clock.pass(200)
    const file = await fileOf(carol)
    await carol.stop()
    await bob.client.call("pair-answer", { kind: "file", offer: file })
    await expect(answers(bob, true)).rejects.toMatchObject({ code: "exists" })
    await carol.start()
    await fixture.clock.pass(HOUR_MS)
    const words = await bob.client.call("verify", { contact: "carol" })
    expect(words).toEqual({
      ...(await carol.client.call("verify", { contact: "bob" })),
      contact: words.contact,
    })
    for (const profile of [bob, carol]) expect(await profile.client.call("introductions", {})).toEqual([])
    expect((await carol.store.load()).openBundles.filter(({ mode }) => mode === MODE.introduction)).toEqual(
      [],
    )
  })

  test("[D-82] Bob's answer comes late, when he and Carol have paired and compared: it changes nothing", async () => {
    const { fixture, alice, bob, carol } = await trio()
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(200)
    await answers(carol, true)
    await fixture.clock.pass(200)
    cutOff(fixture, carol)
    await answers(bob, true)
    await fixture.clock.pass(200)
    const late = lastMessageTo(fixture, carol)
    cutOff(fixture)
    await fixture.pair(carol, bob)
    await carol.client.call("mark-verified", { contact: "bob", verified: true })
    fixture.broker.inject(late.topic, late.payload)
    await fixture.clock.pass(HOUR_MS)
    const [, atCarol] = await carol.client.call("contacts", {})
    expect(atCarol).toMatchObject({ name: "bob", verified: true, state: "established" })
    expect((await carol.store.load()).openBundles.filter(({ mode }) => mode === MODE.introduction)).toEqual(
      [],
    )
  })

  test("[D-82] a blocked introducer asks nothing, nor does one whose question waited when it was blocked", async () => {
    const { fixture, alice, bob, carol } = await trio()
    await carol.client.call("block", { contact: "alice", blocked: true })
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(200)
    expect(await questions(carol)).toEqual([])
    await carol.client.call("block", { contact: "alice", blocked: false })
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await questions(carol)).toHaveLength(1)
    await carol.client.call("block", { contact: "alice", blocked: true })
    await expect(answers(carol, true)).rejects.toMatchObject({ code: "refused" })
    await carol.client.call("block", { contact: "alice", blocked: false })
    await answers(carol, true)
    await fixture.clock.pass(200)
    await carol.client.call("block", { contact: "alice", blocked: true })
    await answers(bob, true)
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await names(carol)).toEqual(["alice"])
  })

  test("[D-82] Alice introduces neither herself twice, nor one to themselves, nor a blocked one", async () => {
    const { alice } = await trio()
    await expect(alice.client.call("introduce", { contact: "bob", to: "bob" })).rejects.toMatchObject({
      code: "usage",
    })
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    for (const [contact, to] of [
      ["bob", "carol"],
      ["carol", "bob"],
    ] as const)
      await expect(alice.client.call("introduce", { contact, to })).rejects.toMatchObject({ code: "exists" })
    await alice.client.call("block", { contact: "bob", blocked: true })
    await expect(alice.client.call("introduce", { contact: "carol", to: "bob" })).rejects.toMatchObject({
      code: "refused",
    })
  })

  test("[D-82] nothing goes to Bob while Alice blocks him; it goes on when she does not", async () => {
    const people = await trio()
    const { fixture, alice, bob, carol } = people
    await alice.client.call("introduce", { contact: "bob", to: "carol" })
    await fixture.clock.pass(200)
    await alice.client.call("block", { contact: "bob", blocked: true })
    await answers(carol, true)
    await fixture.clock.pass(2 * HOUR_MS)
    expect(await questions(bob)).toEqual([])
    await alice.client.call("block", { contact: "bob", blocked: false })
    await fixture.clock.pass(200)
    expect(await questions(bob)).toHaveLength(1)
  })

  test("the name of an introducer who was forgotten does not pass to another", async () => {
    const people = await trio()
    const { fixture, bob } = people
    await introduces(people)
    await bob.client.call("rename", { contact: "alice", name: "ally" })
    const by = async () =>
      (await bob.client.call("contacts", {})).find(({ name }) => name === "carol")?.introducedBy
    expect(await by()).toBe("ally")
    await bob.client.call("forget", { contact: "ally" })
    const other = await fixture.profile("alice")
    await fixture.pair(bob, other)
    expect(await names(bob)).toContain("alice")
    expect(await by()).toBe("alice (no longer a contact)")
  })
})
