import { describe, expect, test } from "vitest"
import { kemKeyPair } from "../../src/crypto/mlkem.ts"
import type { KemSeed } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { HOUR_MS } from "../../src/time-units.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { replacedContact } from "./candidate.ts"
import type { TestProfile } from "./engine-fixture.ts"
import { saysSame } from "./words-fixture.ts"

const textOf = (text: string): Frame => ({
  kind: "text",
  id: systemRandom(8),
  time: 1,
  text: new TextEncoder().encode(text),
})
const number = (n: number): Frame => ({ kind: "number", number: n })

async function compare(alice: TestProfile): Promise<void> {
  await saysSame(alice, "bob")
}

async function readAll(alice: TestProfile): Promise<void> {
  await alice.client.call("inbox", { markRead: true })
}

describe("[D-41] nothing of ours reaches a key that was not compared", () => {
  test("not that Alice reads, types, sets a timer or writes", async () => {
    const { fixture, alice, reached } = await replacedContact()
    await readAll(alice)
    await alice.client.call("typing", { contact: "bob", typing: true })
    await expect(alice.client.call("timer", { contact: "bob", timerSeconds: 60 })).rejects.toMatchObject({
      code: "refused",
      hint: "mqttchat verify bob",
    })
    await expect(alice.send("bob", "hello?")).rejects.toMatchObject({ code: "refused" })
    await fixture.clock.pass(2 * HOUR_MS)
    expect(reached()).toBe(0)
    const [bob] = await alice.client.call("contacts", {})
    expect(bob).toMatchObject({ timerSeconds: 0, queued: 0 })
  })

  test("not an answer to anything that the candidate sends", async () => {
    const { fixture, alice, injects, reached } = await replacedContact()
    const encapsulationKey = kemKeyPair(systemRandom(64) as KemSeed)
    await injects(textOf("one"), number(1))
    await injects({ kind: "again", numbers: [0, 1, 2, 3] })
    await injects({ kind: "pq-ek", id: 1, encapsulationKey })
    await injects({ kind: "topic", mailbox: systemRandom(16) })
    await injects({ kind: "timer", seconds: 5, setAt: 1 })
    await injects({ kind: "gone", reason: "cancelled", numbers: [2] })
    await injects(textOf("behind a gap"), number(9))
    const before = await alice.systemMessages("bob")
    const text = Uint8Array.of(0xff)
    await injects({ kind: "text", id: systemRandom(8), time: 1, text }, number(3))
    expect(await alice.systemMessages("bob")).toEqual(before)
    await fixture.clock.pass(2 * HOUR_MS)
    expect(reached()).toBe(0)
    const texts = (await alice.read("bob")).map(({ text, trusted }) => [text, trusted])
    expect(texts).toEqual([
      ["old times", true],
      ["it is me", false],
      ["one", false],
      ["behind a gap", false],
    ])
  })

  test("not what was waiting when the key changed, also after a restart; all of it goes after the comparison", async () => {
    const replaced = await replacedContact(async ({ alice }) => {
      await alice.send("bob", "meant for the old key")
    })
    const { fixture, alice, candidate, injects, reached } = replaced
    await injects(textOf("a word"), number(1))
    await alice.stop()
    await alice.start()
    await fixture.clock.pass(2 * HOUR_MS)
    expect(reached()).toBe(0)
    expect(await candidate.texts("alice")).toEqual(["is it?"])
    await compare(alice)
    await fixture.clock.pass(1_000)
    expect(await candidate.texts("alice")).toEqual(["is it?", "meant for the old key"])
    expect(await alice.states("bob")).toEqual(["delivered", "delivered"])
  })

  test("no handshake that the candidate provokes by frames which do not open", async () => {
    const { fixture, alice, candidate, reached } = await replacedContact()
    const [device] = (await alice.store.load()).devices
    const mailbox = Buffer.from(device?.mailbox ?? []).toString("base64url")
    const topic = fixture.broker.seen.map((seen) => seen.topic).find((seen) => seen.endsWith(mailbox))
    expect(topic).toBeDefined()
    for (let n = 0; n < 6; n++) fixture.broker.inject(topic ?? "", systemRandom(256))
    await fixture.clock.pass(HOUR_MS)
    expect(reached()).toBe(0)
    await alice.client.call("reset", { contact: "bob" })
    await fixture.clock.pass(1_000)
    expect(reached()).toBeGreaterThan(0)
    expect(await candidate.client.call("contacts", {})).toMatchObject([{ name: "alice" }])
    await expect(alice.send("bob", "still not")).rejects.toMatchObject({ code: "refused" })
  })

  test("what may not be answered opens later, so that no step of the session is lost", async () => {
    const { fixture, alice, candidate, reached } = await replacedContact()
    for (let n = 0; n < 60; n++) await candidate.send("alice", `text ${n}`)
    await fixture.clock.pass(1_000)
    expect(reached()).toBe(0)
    await compare(alice)
    await fixture.clock.pass(2 * HOUR_MS)
    const waiting = (await candidate.store.load()).outgoing
    expect(waiting).toEqual([])
    expect(new Set(await candidate.states("alice"))).toEqual(new Set(["delivered"]))
    expect(await alice.texts("bob")).toHaveLength(62)
  })
})

test("only the words of its own handshake lift that, and the caller names them [D-140]", async () => {
  const { fixture, alice, candidate, reached } = await replacedContact()
  const marks = (words?: string[]) =>
    alice.client.call("mark-verified", { contact: "bob", verified: true, ...(words && { words }) })
  const { safetyNumber, words } = await alice.client.call("verify", { contact: "bob" })
  expect(safetyNumber).toHaveLength(12)
  const hint = "compare the words: mqttchat verify bob"
  await expect(marks()).rejects.toMatchObject({ code: "refused", hint })
  for (const wrong of [[], words.toReversed()])
    await expect(marks(wrong)).rejects.toMatchObject({ code: "refused" })
  await fixture.clock.pass(HOUR_MS)
  expect(reached()).toBe(0)
  await marks(words)
  await alice.send("bob", "it is you")
  await fixture.clock.pass(1_000)
  expect(await candidate.texts("alice")).toContain("it is you")
})

describe("[D-43] what comes under a key that was not compared changes nothing of ours", () => {
  test("no state of a text that was meant for the old key", async () => {
    const replaced = await replacedContact(async ({ alice }) => {
      await alice.send("bob", "meant for the old key")
    })
    const { alice, injects } = replaced
    const [meant] = await alice.client
      .call("history", { contact: "bob", limit: 10 })
      .then((all) => all.filter(({ mine }) => mine))
    await injects({ kind: "read", ids: [Buffer.from(meant?.id ?? "", "hex")] })
    await injects({ kind: "ack", mids: [Buffer.from(meant?.id ?? "", "hex")] })
    expect(await alice.states("bob")).toEqual(["broker", "delivered"])
  })

  test("no end of sending, and no other recovery bundle", async () => {
    const { alice, injects } = await replacedContact()
    const [before] = (await alice.store.load()).devices
    const bundle = new Uint8Array(before!.recoveryBundle).fill(1)
    await injects({ kind: "moved", at: 1 })
    await injects({ kind: "recovery-bundle", bundle })
    await injects({ kind: "gone", reason: "cancelled", numbers: [1] })
    const { devices, held } = await alice.store.load()
    expect(devices).toMatchObject([{ movedAt: 0, recoveryBundle: before!.recoveryBundle }])
    expect(held).toEqual([])
  })

  test("no timer, which the next key in this place would inherit, and no sign of typing", async () => {
    const { fixture, alice, injects } = await replacedContact()
    await injects({ kind: "timer", seconds: 1, setAt: Number.MAX_SAFE_INTEGER })
    await injects({ kind: "typing", typing: true })
    expect(alice.events.filter(({ kind }) => kind === "typing")).toEqual([])
    const trueBob = await fixture.profile("bob")
    await fixture.pair(alice, trueBob)
    const bob = await alice.client.call("replace", { contact: "bob", newContact: "bob-2" })
    expect(bob.timerSeconds).toBe(0)
  })
})

describe("[D-44] what was said to and by a key whose place another took stays its own", () => {
  test("the new key cannot mark it as read, also once it was compared, and learns of no text of the old one", async () => {
    const { fixture, alice, candidate, injects } = await replacedContact(async ({ alice: early, bob }) => {
      await bob.start()
      await early.send("bob", "had arrived")
      await bob.fixture.clock.pass(1_000)
      await bob.send("alice", "unread words of the old key")
      await bob.fixture.clock.pass(100)
      await bob.stop()
    })
    await compare(alice)
    await fixture.clock.pass(1_000)
    const [arrived] = (await alice.client.call("history", { contact: "bob", limit: 10 })).filter(
      ({ text }) => text === "had arrived",
    )
    expect(arrived?.state).toBe("delivered")
    await injects({ kind: "read", ids: [Buffer.from(arrived?.id ?? "", "hex")] })
    expect(await alice.states("bob")).toEqual(["delivered", "delivered"])
    await readAll(alice)
    await fixture.clock.pass(1_000)
    expect(await candidate.states("alice")).toEqual(["read"])
  })

  test("what someone said who was never compared stays marked when the true Bob takes the place", async () => {
    const { fixture, alice, injects } = await replacedContact()
    await injects(textOf("send me the money"), number(1))
    const trueBob = await fixture.profile("bob")
    await fixture.pair(alice, trueBob)
    await trueBob.send("alice", "here I am")
    await fixture.clock.pass(100)
    await alice.client.call("replace", { contact: "bob", newContact: "bob-2" })
    await compare(alice)
    const texts = (await alice.read("bob")).map(({ text, trusted }) => [text, trusted])
    expect(texts).toEqual([
      ["old times", true],
      ["it is me", false],
      ["send me the money", false],
      ["here I am", true],
    ])
  })
})

test("a blocked contact learns nothing of what Alice does meanwhile, not even once it is unblocked", async () => {
  const { fixture, alice, candidate, reached } = await replacedContact()
  await compare(alice)
  await fixture.clock.pass(1_000)
  await candidate.send("alice", "before the block")
  await fixture.clock.pass(100)
  await alice.client.call("block", { contact: "bob", blocked: true })
  const before = reached()
  await readAll(alice)
  await expect(alice.client.call("timer", { contact: "bob", timerSeconds: 60 })).rejects.toMatchObject({
    code: "refused",
    hint: "mqttchat contacts unblock bob",
  })
  await alice.client.call("block", { contact: "bob", blocked: false })
  await fixture.clock.pass(2 * HOUR_MS)
  expect(reached()).toBe(before)
  expect(await candidate.states("alice")).not.toContain("read")
})
