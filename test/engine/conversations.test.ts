import { describe, expect, test } from "vitest"
import type { Event } from "../../src/engine/api.ts"
import { TEXT_MAX_BYTES } from "../../src/wire/frame.ts"
import { HOUR_MS } from "../../src/time-units.ts"
import { couple, EngineFixture, type TestProfile } from "./engine-fixture.ts"

async function conversationOf({ client }: TestProfile, name: string) {
  const found = (await client.call("conversations", {})).find(({ contact }) => contact === name)
  if (found === undefined) throw new Error(`there is no conversation with ${name}`)
  return found
}

/** Once the effects of the last commit are carried out. */
async function conversationEvents({ events, fixture }: TestProfile) {
  await fixture.clock.pass(1)
  return events.filter(
    (event): event is Extract<Event, { kind: "conversation" }> => event.kind === "conversation",
  )
}

/** Of Bob's texts: in every answer that has one. */
async function unreadCounts({ client }: TestProfile): Promise<number[]> {
  const [contact] = await client.call("contacts", {})
  const [conversation] = await client.call("conversations", {})
  const privacy = { readReceipts: false, typingIndicators: false, receiptDelayMs: 0 }
  const answers = [
    contact,
    conversation,
    await client.call("status", {}),
    (await client.call("verify", { contact: "bob" })).contact,
    await client.call("privacy", { contact: "bob", ...privacy }),
    await client.call("block", { contact: "bob", blocked: false }),
  ]
  return answers.map((answer) => answer?.unread ?? -1)
}

const draft = (profile: TestProfile, contact: string, text: string) =>
  profile.client.call("set-draft", { contact, text })

describe("a draft", () => {
  test("is kept for every user interface, through a crash, until it is removed", async () => {
    const { alice } = await couple()
    expect((await conversationOf(alice, "bob")).draft).toBe("")
    await draft(alice, "bob", "are you\ncoming")
    expect((await conversationEvents(alice)).map(({ conversation }) => conversation.draft)).toEqual([
      "are you\ncoming",
    ])
    await alice.crash()
    await alice.start()
    expect((await conversationOf(alice, "bob")).draft).toBe("are you\ncoming")
    await draft(alice, "bob", "")
    expect((await conversationOf(alice, "bob")).draft).toBe("")
    expect((await conversationEvents(alice)).at(-1)?.conversation.draft).toBe("")
  })

  test("goes with the commit that sends or edits it, and stays when that is refused", async () => {
    const { fixture, alice } = await couple()
    const { call } = alice.client
    await draft(alice, "bob", "are you com")
    const sent = { contact: "bob", wait: "queued", timeoutMs: 0 } as const
    const refused = call("send", { ...sent, text: " ", fromDraft: true })
    await expect(refused).rejects.toMatchObject({ code: "bad-data" })
    await call("send", { ...sent, text: "another" })
    expect((await conversationOf(alice, "bob")).draft).toBe("are you com")
    const { id } = await call("send", { ...sent, text: "are you coming?", fromDraft: true })
    expect((await conversationEvents(alice)).map(({ conversation }) => conversation.draft)).toEqual([
      "are you com",
      "",
    ])
    await fixture.clock.pass(100)
    for (const text of ["are you coming, too?", "are you coming, too?"]) {
      await draft(alice, "bob", text)
      await call("edit", { contact: "bob", id, text, fromDraft: true })
      expect((await conversationOf(alice, "bob")).draft).toBe("")
    }
    await draft(alice, "bob", "bye")
    await call("send", { ...sent, text: "bye", fromDraft: true })
    await alice.crash()
    await alice.start()
    expect(await conversationOf(alice, "bob")).toMatchObject({ draft: "", last: { text: "bye" } })
  })

  test("that is there already costs neither a commit nor an event", async () => {
    const { alice } = await couple()
    await draft(alice, "bob", "hi")
    await draft(alice, "bob", "hi")
    expect(await conversationEvents(alice)).toHaveLength(1)
  })

  test("stays on this device, and is not a message", async () => {
    const { fixture, alice, bob } = await couple()
    const before = fixture.broker.seen.length
    await draft(alice, "bob", "never sent")
    await fixture.clock.pass(HOUR_MS)
    expect(fixture.broker.seen).toHaveLength(before)
    expect(await bob.client.call("inbox", { markRead: false })).toEqual([])
    expect(await alice.client.call("history", { contact: "bob", limit: 9 })).toEqual([])
    expect(await alice.client.call("search", { query: "never", limit: 9 })).toEqual([])
  })

  test("is as long as a message may be, in bytes", async () => {
    const { alice } = await couple()
    await draft(alice, "bob", "x".repeat(TEXT_MAX_BYTES))
    await expect(draft(alice, "bob", "ä".repeat(TEXT_MAX_BYTES / 2 + 1))).rejects.toMatchObject({
      code: "bad-data",
    })
    expect((await conversationOf(alice, "bob")).draft).toHaveLength(TEXT_MAX_BYTES)
  })

  test("of a contact that is not known is refused", async () => {
    const { alice } = await couple()
    await expect(draft(alice, "carol", "hi")).rejects.toMatchObject({ code: "not-found" })
  })
})

describe("a muted conversation", () => {
  test("is muted until it is unmuted, and what comes in it is unread as ever", async () => {
    const { fixture, alice, bob } = await couple()
    expect(await alice.client.call("mute", { contact: "bob", until: null })).toMatchObject({
      muted: true,
      mutedUntil: null,
    })
    await bob.send("alice", "are you there?")
    await fixture.clock.pass(24 * HOUR_MS)
    await alice.stop()
    await alice.start()
    expect(await conversationOf(alice, "bob")).toMatchObject({ muted: true, unread: 1 })
    expect(await alice.client.call("status", {})).toMatchObject({ unread: 1 })
    expect(await alice.client.call("unmute", { contact: "bob" })).toMatchObject({ muted: false, unread: 1 })
    expect(await conversationOf(alice, "bob")).toMatchObject({ muted: false, mutedUntil: null })
  })

  test("is muted until a time, and no longer", async () => {
    const { fixture, alice } = await couple()
    const until = fixture.clock.now() + 8 * HOUR_MS
    await alice.client.call("mute", { contact: "bob", until })
    await fixture.clock.pass(8 * HOUR_MS - 1)
    expect(await conversationOf(alice, "bob")).toMatchObject({ muted: true, mutedUntil: until })
    await fixture.clock.pass(1)
    expect(await conversationOf(alice, "bob")).toMatchObject({ muted: false, mutedUntil: null })
    await expect(alice.client.call("mute", { contact: "bob", until })).rejects.toMatchObject({
      code: "usage",
    })
  })

  test("keeps its draft, and a draft its muting", async () => {
    const { alice } = await couple()
    await draft(alice, "bob", "hi")
    await alice.client.call("mute", { contact: "bob", until: null })
    await draft(alice, "bob", "hi bob")
    expect(await conversationOf(alice, "bob")).toMatchObject({ draft: "hi bob", muted: true })
  })
})

describe("the conversations", () => {
  test("have each its own unread count and last message; reading and deleting is an event", async () => {
    const fixture = new EngineFixture()
    const [alice, bob, carol] = [
      await fixture.profile("alice"),
      await fixture.profile("bob"),
      await fixture.profile("carol"),
    ]
    await fixture.pair(alice, bob)
    await fixture.pair(alice, carol)
    for (const text of ["one", "two"]) await bob.send("alice", text)
    await carol.send("alice", "three")
    await fixture.clock.pass(100)
    expect(await conversationOf(alice, "bob")).toMatchObject({
      kind: "direct",
      unread: 2,
      last: { text: "two" },
    })
    expect(await conversationOf(alice, "carol")).toMatchObject({ unread: 1, last: { text: "three" } })
    expect(await conversationOf(bob, "alice")).toMatchObject({ unread: 0, last: { text: "two", mine: true } })
    const [one] = await alice.client.call("history", { contact: "bob", limit: 9 })
    await alice.client.call("mark-read", { contact: "bob", upTo: one?.seq ?? 0 })
    expect((await conversationEvents(alice)).at(-1)?.conversation).toMatchObject({
      contact: "bob",
      unread: 1,
    })
    await alice.client.call("delete-all", { contact: "bob" })
    expect((await conversationEvents(alice)).at(-1)?.conversation).toMatchObject({
      contact: "bob",
      unread: 0,
      last: null,
    })
    expect((await alice.client.call("contacts", {})).map(({ name, unread }) => [name, unread])).toEqual([
      ["bob", 0],
      ["carol", 1],
    ])
  })

  test("count no text that its author has deleted, in any answer that has a count", async () => {
    const { fixture, alice, bob } = await couple()
    const regretted = await bob.send("alice", "regretted")
    await bob.send("alice", "stays")
    await fixture.clock.pass(100)
    expect(await unreadCounts(alice)).toEqual([2, 2, 2, 2, 2, 2])
    await bob.client.call("delete", { contact: "alice", id: regretted, forAll: true })
    await fixture.clock.pass(100)
    expect((await conversationEvents(alice)).at(-1)?.conversation).toMatchObject({ unread: 1 })
    expect(await unreadCounts(alice)).toEqual([1, 1, 1, 1, 1, 1])
  })

  test("count what was deleted before it came, or ran out, as little", async () => {
    const { fixture, alice, bob } = await couple()
    await alice.client.call("timer", { contact: "bob", timerSeconds: 60 })
    await fixture.clock.pass(100)
    await bob.send("alice", "runs out")
    await fixture.clock.pass(100)
    await alice.client.call("inbox", { markRead: true })
    const late: Uint8Array[] = []
    fixture.broker.tamper = (topic, payload) => {
      if (!topic.includes(alice.deviceId)) return [payload]
      if (late.length > 0) return [payload, ...late]
      late.push(payload)
      return []
    }
    const id = await bob.send("alice", "regretted")
    await fixture.clock.pass(5)
    await bob.client.call("delete", { contact: "alice", id, forAll: true })
    await fixture.clock.pass(2 * HOUR_MS)
    expect((await alice.read("bob")).map(({ id, text }) => [id, text])).toEqual([[id, ""]])
    expect(await unreadCounts(alice)).toEqual([0, 0, 0, 0, 0, 0])
    expect(await conversationOf(alice, "bob")).not.toMatchObject({ last: { text: "runs out" } })
  })

  test("lose draft and muting with a contact that is forgotten, and keep them with one that is replaced", async () => {
    const { fixture, alice } = await couple()
    await draft(alice, "bob", "to be continued")
    await alice.client.call("mute", { contact: "bob", until: null })
    const fresh = await fixture.profile("bob")
    await fixture.pair(alice, fresh)
    await alice.client.call("replace", { contact: "bob", newContact: "bob-2" })
    expect(await conversationOf(alice, "bob")).toMatchObject({ draft: "to be continued", muted: true })
    await alice.client.call("forget", { contact: "bob" })
    expect(await alice.client.call("conversations", {})).toEqual([])
    await alice.stop()
    await alice.start()
    expect(await alice.client.call("conversations", {})).toEqual([])
    expect((await alice.store.load()).conversations).toEqual([])
  })
})
