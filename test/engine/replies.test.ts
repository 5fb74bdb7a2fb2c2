import { expect, test } from "vitest"

import type { Message } from "../../src/engine/api.ts"
import { couple, type TestProfile } from "./engine-fixture.ts"

async function last({ client }: TestProfile, contact: string): Promise<Message> {
  const [message] = await client.call("history", { contact, limit: 1 })
  if (message === undefined) throw new Error("no message")
  return message
}

async function answer(
  { client }: TestProfile,
  contact: string,
  replyTo: string,
  text: string,
): Promise<void> {
  await client.call("send", { contact, text, replyTo, wait: "queued", timeoutMs: 0 })
}

test("an answer names what it answers by the same id on both sides, theirs or ours", async () => {
  const { fixture, alice, bob } = await couple()
  const question = await alice.send("bob", "when do you come?")
  await fixture.clock.pass(50)
  const received = await last(bob, "alice")
  expect(received).toMatchObject({ id: question, replyTo: null })
  await answer(bob, "alice", question, "at noon")
  await fixture.clock.pass(50)
  const quote = { id: question, text: "when do you come?", changed: false }
  expect((await last(bob, "alice")).replyTo).toEqual({ ...quote, mine: false })
  expect((await last(alice, "bob")).replyTo).toEqual({ ...quote, mine: true })
  const { id } = await last(alice, "bob")
  await answer(bob, "alice", id, "or at one")
  await fixture.clock.pass(50)
  const own = { id, text: "at noon", changed: false }
  expect((await last(bob, "alice")).replyTo).toEqual({ ...own, mine: true })
  expect((await last(alice, "bob")).replyTo).toEqual({ ...own, mine: false })
})

test("an answer to what was deleted on one side, or on both, is sent and shown plainly", async () => {
  const { fixture, alice, bob } = await couple()
  const question = await alice.send("bob", "when do you come?")
  await fixture.clock.pass(50)
  await alice.client.call("delete", { contact: "bob", id: question })
  await answer(bob, "alice", question, "at noon")
  await fixture.clock.pass(50)
  const there = { id: question, mine: true, text: null, changed: false }
  expect(await last(alice, "bob")).toMatchObject({ text: "at noon", replyTo: there })
  await bob.client.call("delete", { contact: "alice", id: question })
  await answer(bob, "alice", question, "or at one")
  await answer(alice, "bob", question, "never mind")
  await fixture.clock.pass(50)
  expect(await bob.texts("alice")).toEqual(["never mind"])
  expect((await last(bob, "alice")).replyTo).toEqual({ ...there, mine: false })
  expect(await alice.texts("bob")).toEqual(["at noon", "or at one"])
})

test("an answer waits for its place, outlives a new session and comes with the same quote", async () => {
  const { fixture, alice, bob } = await couple()
  const question = await alice.send("bob", "when do you come?")
  await fixture.clock.pass(50)
  fixture.broker.tamper = (topic, payload) => (topic.includes(alice.deviceId) ? [] : [payload])
  await answer(bob, "alice", question, "at noon")
  await fixture.clock.pass(50)
  await bob.crash()
  await bob.start()
  fixture.broker.tamper = (_topic, payload) => [payload]
  await bob.client.call("reset", { contact: "alice" })
  await fixture.clock.pass(60_000)
  expect(await alice.texts("bob")).toEqual(["at noon"])
  const [found] = await alice.client.call("search", { query: "noon", limit: 1 })
  expect(found?.replyTo).toEqual({ id: question, mine: true, text: "when do you come?", changed: false })
})

test("an id that no message had is refused, and nothing is sent", async () => {
  const { fixture, alice, bob } = await couple()
  const none = "0123456789abcdef"
  await expect(answer(alice, "bob", none, "to nothing")).rejects.toMatchObject({ code: "not-found" })
  await fixture.clock.pass(50)
  expect(await bob.texts("alice")).toEqual([])
  expect(await alice.states("bob")).toEqual([])
})

test("a short text leaves in the smallest bucket, and the longest with quote, timer and number in the largest", async () => {
  const { fixture, alice, bob } = await couple()
  await bob.send("alice", "how much fits?")
  await fixture.clock.pass(1_000)
  const sizes = (): number[] => fixture.broker.seen.map(({ payload }) => payload.length)
  const before = sizes().length
  await alice.send("bob", "x".repeat(113))
  await fixture.clock.pass(1_000)
  expect(sizes()[before]).toBe(256)
  await alice.client.call("timer", { contact: "bob", timerSeconds: 3_600 })
  const [question] = await alice.read("bob")
  const longest = "y".repeat(65_276)
  await answer(alice, "bob", question?.id ?? "", longest)
  await fixture.clock.pass(1_000)
  expect(Math.max(...sizes())).toBe(65_536)
  expect(await last(bob, "alice")).toMatchObject({
    text: longest,
    timerSeconds: 3_600,
    replyTo: { text: "how much fits?", mine: true },
  })
})
