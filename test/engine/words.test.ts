import { describe, expect, test } from "vitest"
import { equal, type Psk } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { newNonce } from "../../src/session/comparison.ts"
import { readBundle } from "../../src/session/bundle.ts"
import { splitInbox } from "../../src/wire/topics.ts"
import type { Event } from "../../src/engine/api.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { couple, EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { fileOf, HostileInitiator, HostileOwner } from "./hostile-pairing.ts"
import { pairingsOf, saysSame, wordsAt } from "./words-fixture.ts"

const HOUR_MS = 3_600_000

function textOf(text: string, number: number): Frame[] {
  return [
    { kind: "text", id: systemRandom(8), time: 1, text: new TextEncoder().encode(text) },
    { kind: "number", number },
  ]
}

async function contactsOf(profile: TestProfile) {
  return profile.client.call("contacts", {})
}

function events<K extends Event["kind"]>(profile: TestProfile, kind: K): Extract<Event, { kind: K }>[] {
  return profile.events.filter((event): event is Extract<Event, { kind: K }> => event.kind === kind)
}

/** Bob made a file, and Mallory answered it with a program of her own. */
async function answered() {
  const fixture = new EngineFixture()
  const bob = await fixture.profile("bob")
  const mallory = new HostileInitiator(fixture)
  await mallory.answers(await fileOf(bob))
  return { fixture, bob, mallory, welcome: mallory.welcome() }
}

describe("the owner of an offer", () => {
  test("has no words before the other side has opened, and the same as it afterwards [S-60] [S-64]", async () => {
    const { bob, mallory, welcome } = await answered()
    expect(await pairingsOf(bob)).toEqual(["mallory unfinished"])
    expect(await wordsAt(bob, "mallory")).toEqual([])
    expect(events(bob, "paired").map(({ words }) => words)).toEqual([[]])
    await mallory.opens()
    expect(await wordsAt(bob, "mallory")).toEqual(mallory.words(welcome))
    expect(await pairingsOf(bob)).toEqual(["mallory done"])
    expect(events(bob, "words").map(({ words }) => words)).toEqual([mallory.words(welcome)])
  })

  test("does not take the pairing for done because texts come, in the first chain or the second", async () => {
    const { fixture, bob, mallory } = await answered()
    await mallory.sends(...textOf("now open it", 0))
    expect(await bob.texts("mallory")).toEqual(["now open it"])
    expect((await contactsOf(bob))[0]).toMatchObject({ state: "established", pairing: "unfinished" })
    await bob.stop()
    await bob.start()
    await fixture.clock.pass(HOUR_MS)
    expect(await pairingsOf(bob)).toEqual(["mallory unfinished"])
    expect(await wordsAt(bob, "mallory")).toEqual([])
  })

  test("answers a repeated INIT with the same WELCOME, and another INIT with another share [S-60]", async () => {
    const { fixture, bob, mallory, welcome } = await answered()
    await mallory.injects(mallory.init)
    await fixture.clock.pass(10_000)
    expect(mallory.reads()).toEqual([])
    await mallory.opens()
    expect(await wordsAt(bob, "mallory")).toEqual(mallory.words(welcome))
    const again = await recovers(fixture, bob, mallory)
    expect(equal(again.welcome().share, welcome.share)).toBe(false)
  })

  test("gives two people who open one link one place, and each answer its own share", async () => {
    const fixture = new EngineFixture()
    const bob = await fixture.profile("bob")
    const file = await fileOf(bob)
    const [first, second] = [new HostileInitiator(fixture), new HostileInitiator(fixture)]
    await first.answers(file)
    await second.answers(file)
    expect(second.reads()).toEqual([])
    const welcome = first.welcome()
    await first.opens()
    expect(await wordsAt(bob, "mallory")).toEqual(first.words(welcome))
    expect(await contactsOf(bob)).toHaveLength(1)
  })
})

/** Mallory knows all that a contact knows, and begins another session with it. */
async function recovers(
  fixture: EngineFixture,
  bob: TestProfile,
  mallory: HostileInitiator,
): Promise<HostileInitiator> {
  const { openBundles, devices } = await bob.store.load()
  const device = devices[0]!
  const record = openBundles.findLast((bundle) => bundle.device === device.id)!
  const bundle = record.open.slice(0, 1402)
  const { inbox } = readBundle(bundle, Math.floor(fixture.clock.now() / 1000))!
  const psk = record.psk as Psk
  const again = new HostileInitiator(fixture, mallory.identity)
  const to = { device: inbox.device, mailbox: device.mailbox }
  expect(splitInbox(device.peerInbox).device).toEqual(mallory.inbox.device)
  await again.answers("", { recovery: { psk, bundle, to } })
  return again
}

describe("an OPEN that is not what was committed to [S-63]", () => {
  test("ends the session, and a contact that was new is gone; the person is told", async () => {
    const { bob, mallory } = await answered()
    await mallory.opens(newNonce(systemRandom), ...textOf("beside", 0))
    expect(await contactsOf(bob)).toEqual([])
    const [ended, ...more] = events(bob, "pairing-ended")
    expect(ended).toMatchObject({ contact: "mallory", forgotten: true })
    expect(ended?.reason).toContain("someone may be between you")
    expect(more).toEqual([])
    expect(events(bob, "message")).toEqual([])
    expect(events(bob, "words")).toEqual([])
  })

  test.each([
    ["a text came", (mallory: HostileInitiator) => mallory.sends(...textOf("before", 0))],
    [
      "a text came that waits for another",
      (mallory: HostileInitiator) => mallory.sends(...textOf("before", 1)),
    ],
    ["a text was sent", (_: HostileInitiator, bob: TestProfile) => bob.send("mallory", "before")],
  ])("deletes nothing that was said: %s, and the contact stays and is locked [D-36]", async (_, speaks) => {
    const { fixture, bob, mallory } = await answered()
    await speaks(mallory, bob)
    await fixture.clock.pass(100)
    await mallory.opens(newNonce(systemRandom), ...textOf("beside", 2))
    expect(events(bob, "pairing-ended")).toMatchObject([{ contact: "mallory", forgotten: false }])
    const history = await bob.client.call("history", { contact: "mallory", limit: 10 })
    expect(history.filter(({ kind }) => kind === "text").map(({ text }) => text)).toEqual(["before"])
    await expect(bob.send("mallory", "after")).rejects.toMatchObject({ code: "refused" })
  })

  test("leaves a contact that was verified by its safety number, and is locked [D-36]", async () => {
    const { bob, mallory } = await answered()
    await bob.client.call("mark-verified", { contact: "mallory", verified: true })
    await mallory.opens(newNonce(systemRandom))
    expect((await contactsOf(bob)).map(({ name, verified }) => [name, verified])).toEqual([
      ["mallory", false],
    ])
    await expect(bob.send("mallory", "after")).rejects.toMatchObject({ code: "refused" })
  })

  test("leaves nothing that a later right one, or a text, could use", async () => {
    const { fixture, bob, mallory } = await answered()
    await mallory.opens(newNonce(systemRandom))
    mallory.reads()
    await mallory.opens()
    await mallory.sends(...textOf("still here", 0))
    await bob.stop()
    await bob.start()
    await fixture.clock.pass(HOUR_MS)
    expect(mallory.reads()).toEqual([])
    expect(await contactsOf(bob)).toEqual([])
  })

  test("locks a contact that was there before: it stays with its history, and gets nothing until words are compared [D-36]", async () => {
    const { fixture, bob, mallory } = await answered()
    await mallory.opens()
    await bob.client.call("mark-verified", { contact: "mallory", verified: true })
    await mallory.sends(...textOf("we know each other", 0))
    const again = await recovers(fixture, bob, mallory)
    await again.opens(newNonce(systemRandom), ...textOf("beside", 0))
    expect(events(bob, "pairing-ended")).toMatchObject([{ contact: "mallory", forgotten: false }])
    expect((await contactsOf(bob))[0]).toMatchObject({
      name: "mallory",
      verified: false,
      pairing: "unfinished",
    })
    expect(await bob.texts("mallory")).toEqual(["we know each other"])
    expect((await bob.systemMessages("mallory")).at(-1)).toContain("someone may be between you")
    await expect(bob.send("mallory", "are you there?")).rejects.toMatchObject({ code: "refused" })
    again.reads()
    await fixture.clock.pass(HOUR_MS)
    expect(again.reads()).toEqual([])
    const marked = () => bob.client.call("mark-verified", { contact: "mallory", verified: true })
    // The safety number alone lifts nothing.
    await expect(marked()).rejects.toMatchObject({ code: "refused" })

    const third = await recovers(fixture, bob, again)
    const welcome = third.welcome()
    await third.opens()
    expect(await wordsAt(bob, "mallory")).toEqual(third.words(welcome))
    await expect(bob.send("mallory", "are you there?")).rejects.toMatchObject({ code: "refused" })
    await expect(marked()).rejects.toMatchObject({
      message: "mallory's key changed, and the words that you compared are not named",
    })
    await saysSame(bob, "mallory")
    await bob.send("mallory", "are you there?")
    await fixture.clock.pass(1_000)
    expect(third.reads().flat()).toContainEqual(expect.objectContaining({ kind: "text" }))
  })

  test("leaves the history that its sender was given with the place of another [D-36] [D-40]", async () => {
    const { fixture, alice, bob } = await couple()
    await alice.send("bob", "old times")
    await fixture.clock.pass(100)
    const mallory = new HostileInitiator(fixture)
    await mallory.answers(await fileOf(bob))
    await bob.client.call("replace", { contact: "alice", newContact: "mallory" })
    await mallory.opens(newNonce(systemRandom))
    expect(events(bob, "pairing-ended")).toMatchObject([{ contact: "alice", forgotten: false }])
    expect(await bob.texts("alice")).toEqual(["old times"])
    await expect(bob.send("alice", "is it you?")).rejects.toMatchObject({ code: "refused" })
  })

  test("no one takes the place of a contact, or is verified, before they have shown their account [D-40]", async () => {
    const { fixture, alice, bob } = await couple()
    await alice.send("bob", "old times")
    await fixture.clock.pass(100)
    const offer = new HostileOwner(fixture).file(await fileOf(bob))
    const { contact } = await bob.client.call("pair-answer", { kind: "file", offer })
    await expect(
      bob.client.call("replace", { contact: "alice", newContact: contact.id }),
    ).rejects.toMatchObject({ code: "refused" })
    await expect(
      bob.client.call("mark-verified", { contact: contact.id, verified: true }),
    ).rejects.toMatchObject({ code: "refused" })
    await fixture.clock.pass(72 * HOUR_MS)
    expect(await bob.texts("alice")).toEqual(["old times"])
    expect(await contactsOf(bob)).toHaveLength(1)
  })

  test("counts for a share that is no commitment at all, such as our own, or zeros", async () => {
    for (const share of [new Uint8Array(32), newNonce(systemRandom)]) {
      const fixture = new EngineFixture()
      const bob = await fixture.profile("bob")
      const mallory = new HostileInitiator(fixture)
      await mallory.answers(await fileOf(bob), { share })
      const welcome = mallory.welcome()
      await mallory.opens(welcome.share)
      expect(await contactsOf(bob)).toEqual([])
    }
  })
})

describe("only the first counts [S-61]", () => {
  test("of two OPENs, right or wrong", async () => {
    const { bob, mallory, welcome } = await answered()
    await mallory.opens()
    await mallory.opens(newNonce(systemRandom))
    await mallory.opens()
    expect(await wordsAt(bob, "mallory")).toEqual(mallory.words(welcome))
    expect(events(bob, "words")).toHaveLength(1)
    expect(events(bob, "pairing-ended")).toEqual([])
  })

  test("of two shares of an owner: the words stay, and the nonce is shown once", async () => {
    const fixture = new EngineFixture()
    const alice = await fixture.profile("alice")
    const mallory = new HostileOwner(fixture)
    const file = mallory.file(await fileOf(alice))
    const paired = await alice.client.call("pair-answer", { kind: "file", offer: file })
    expect(paired.words).toEqual([])
    await fixture.clock.pass(100)
    mallory.accepts()
    expect(mallory.nonces()).toEqual([])
    await mallory.welcomes()
    const [nonce, ...others] = mallory.nonces()
    expect(others).toEqual([])
    const words = mallory.words(nonce!)
    expect(await wordsAt(alice, paired.contact.name)).toEqual(words)
    await mallory.welcomes(newNonce(systemRandom))
    await mallory.sends({ kind: "open", nonce: newNonce(systemRandom) })
    expect(mallory.nonces()).toEqual([])
    expect(await wordsAt(alice, paired.contact.name)).toEqual(words)
    expect(events(alice, "paired")).toHaveLength(1)
    expect(await pairingsOf(alice)).toEqual([`${paired.contact.name} done`])
  })
})

test("an initiator opens its commitment beside the receipt for the WELCOME, and not before, whatever comes earlier [S-60]", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const mallory = new HostileOwner(fixture)
  const offer = mallory.file(await fileOf(alice))
  const { contact } = await alice.client.call("pair-answer", { kind: "file", offer })
  await fixture.clock.pass(100)
  mallory.accepts()
  await mallory.sends(...textOf("a text that overtook the WELCOME", 0))
  expect(mallory.nonces()).toEqual([])
  expect(await pairingsOf(alice)).toEqual([`${contact.name} unfinished`])
  // The receipt for the last text waits when the WELCOME comes: it goes alone [D-41].
  await Promise.all([mallory.sends(...textOf("another", 1)), mallory.welcomes()])
  const messages = mallory.reads()
  const opened = messages.find((frames) => frames.some(({ kind }) => kind === "open"))
  expect(opened?.map(({ kind }) => kind)).toEqual(["open", "ack"])
  const receipts = messages.flat().flatMap((frame) => (frame.kind === "ack" ? [frame.mids.length] : []))
  expect(receipts).toEqual([1, 1])
})

test("Mallory between two people who exchange files: their words differ, also if she passes on one's share as her own", async () => {
  const fixture = new EngineFixture()
  const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
  const his = await fileOf(bob)
  // Alice gets Mallory's file for Bob's.
  const towardsAlice = new HostileOwner(fixture)
  const offer = towardsAlice.file(his)
  const { contact } = await alice.client.call("pair-answer", { kind: "file", offer })
  await fixture.clock.pass(100)
  const hello = towardsAlice.accepts()
  const towardsBob = new HostileInitiator(fixture)
  await towardsBob.answers(his, { share: hello.share })
  await towardsAlice.welcomes(towardsBob.welcome().share)
  const [nonce] = towardsAlice.nonces()
  await towardsBob.opens(nonce)
  const [hers, bobs] = [await wordsAt(alice, contact.name), await wordsAt(bob, "mallory")]
  expect([hers.length, bobs.length]).toEqual([4, 4])
  expect(hers).not.toEqual(bobs)
})

describe("every mode", () => {
  test("a renewal has new words, the same on both sides, and a contact that was verified stays so", async () => {
    const { fixture, alice, bob } = await couple()
    await alice.client.call("mark-verified", { contact: "bob", verified: true })
    const before = await wordsAt(alice, "bob")
    await bob.client.call("reset", { contact: "alice" })
    expect(await wordsAt(bob, "alice")).toEqual([])
    await fixture.clock.pass(1_000)
    const words = await wordsAt(alice, "bob")
    expect(words).toHaveLength(4)
    expect(words).not.toEqual(before)
    expect(await wordsAt(bob, "alice")).toEqual(words)
    expect((await contactsOf(alice))[0]).toMatchObject({ verified: true, pairing: "done" })
  })

  test("someone who begins again and again without showing their part is seen", async () => {
    const { fixture, bob, mallory } = await answered()
    const again = await recovers(fixture, bob, mallory)
    await recovers(fixture, bob, again)
    const lines = (await bob.systemMessages("mallory")).filter((line) => line.includes("did not finish"))
    expect(lines).toHaveLength(2)
    expect(await pairingsOf(bob)).toEqual(["mallory unfinished"])
  })
})

describe("a process that dies between two steps", () => {
  test.each(["alice", "bob"])("%s, after each step of the pairing, and comes back", async (who) => {
    for (let step = 0; step < 6; step++) {
      const fixture = new EngineFixture()
      const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
      const dying = who === "alice" ? alice : bob
      const file = await fileOf(alice)
      const crash = async (at: number): Promise<void> => {
        if (at !== step) return
        await dying.crash()
        await fixture.clock.pass(1_000)
        await dying.start()
      }
      await crash(0)
      let passed = 0
      fixture.broker.tamper = (_topic, payload) => (passed++ < step ? [payload] : [])
      await bob.client.call("pair-answer", { kind: "file", offer: file })
      await fixture.clock.pass(100)
      if (step > 0) await crash(step)
      fixture.broker.tamper = (_topic, payload) => [payload]
      await fixture.clock.pass(60_000)
      const words = await wordsAt(alice, "bob")
      expect(words, `step ${step}`).toHaveLength(4)
      expect(await wordsAt(bob, "alice"), `step ${step}`).toEqual(words)
      expect([await pairingsOf(alice), await pairingsOf(bob)]).toEqual([["bob done"], ["alice done"]])
    }
  })
})
