import { randomBytes } from "node:crypto"
import { expect, onTestFinished, test } from "vitest"
import type { Write } from "../../src/store/records.ts"
import { openStore } from "../../src/store/store.ts"
import { DAY_MS } from "../../src/time-units.ts"
import { direct, freshPath, message, ownMessage, person, plain } from "./store-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"
import type { NewMessage, Recipient } from "../../src/store/message-records.ts"

async function withBob(): Promise<{ store: Store }> {
  const store = await openStore(freshPath(), randomBytes(32))
  onTestFinished(() => store.close())
  await store.commit(person(1, "Bob"))
  return { store }
}

test("a receipt names a message by its id and changes only ours, with those it was sent to", async () => {
  const { store } = await withBob()
  const id = randomBytes(8)
  await store.commit([
    ...person(2, "Carol"),
    ownMessage(1, "ours", id),
    ownMessage(1, "next"),
    { kind: "message", message: message(1, "theirs", id) },
  ])
  const receipt = (contact: number, state: Recipient["state"]): Write =>
    ({ kind: "message-state", conversation: direct(1), contact, id, state, at: 5 }) as const
  await store.commit([receipt(2, "read"), receipt(1, "delivered")])
  const states = (await store.history(direct(1), { limit: 10 })).map((entry) => [entry.text, entry.state])
  expect(states).toEqual([
    ["ours", "delivered"],
    ["next", "queued"],
    ["theirs", "received"],
  ])
  expect((await store.findMessageById(direct(1), id))?.text).toBe("ours")
  expect((await store.findMessage({ conversation: direct(1), author: 1, id }))?.text).toBe("theirs")
})

test("[D-62] a message is as far as the recipient with whom it is least", async () => {
  const { store } = await withBob()
  const id = randomBytes(8)
  const { message: ours } = ownMessage(1, "to three", id)
  const recipients = [1, 2, 3].map((contact) => ({ contact, state: "queued", at: 1 }) as const)
  await store.commit([
    ...person(2, "Carol"),
    ...person(3, "Dave"),
    { kind: "message", message: ours, recipients },
  ])
  const after = async (contact: number, state: Recipient["state"]): Promise<string | undefined> => {
    await store.commit([{ kind: "message-state", conversation: direct(1), contact, id, state, at: 5 }])
    return (await store.findMessageById(direct(1), id))?.state
  }
  expect(await after(1, "read")).toBe("queued")
  expect(await after(2, "given-up")).toBe("queued")
  expect(await after(3, "broker")).toBe("broker")
  expect(await after(3, "delivered")).toBe("given-up")
  expect(await after(2, "delivered")).toBe("delivered")
  expect(await after(2, "read")).toBe("delivered")
  expect(await after(3, "read")).toBe("read")
  const [found] = await store.history(direct(1), { limit: 1 })
  expect(found?.recipients.map(({ contact, state }) => [contact, state])).toEqual([
    [1, "read"],
    [2, "read"],
    [3, "read"],
  ])
})

test("[W-53] an answer knows what it answers as it is now, by id and digest", async () => {
  const { store } = await withBob()
  const question = message(1, "when?")
  const answers = (digest: Uint8Array, id = question.id): NewMessage => ({
    ...ownMessage(1, "at noon").message,
    replyTo: { author: new Uint8Array(8), id: new Uint8Array(id), digest: new Uint8Array(digest) },
  })
  await store.commit([
    { kind: "message", message: question },
    { kind: "message", message: answers(question.digest) },
    { kind: "message", message: answers(randomBytes(16)) },
    { kind: "message", message: answers(question.digest, randomBytes(8)) },
  ])
  const quotes = async () =>
    (await store.history(direct(1), { limit: 10, after: 1 })).map(({ quoted }) => quoted)
  const digest = new Uint8Array(question.digest)
  const quoted = { author: 1, kind: "text", text: "when?", digest, deletedAt: null }
  expect(await quotes()).toEqual([quoted, quoted, undefined])
  await store.commit([{ kind: "delete", conversation: direct(1), from: 1, upTo: 1, at: 5 }])
  expect(await quotes()).toEqual([undefined, undefined, undefined])
  expect(await store.knownText(direct(1), question.id)).toEqual({ author: 1, digest })
  expect(await store.knownText(direct(1), randomBytes(8))).toBeUndefined()
})

test("a session message that changed the conversation is known for 400 days by 8 bytes and its contact", async () => {
  const { store } = await withBob()
  const mid = randomBytes(8)
  const at = 1_800_000_000_000
  await store.commit([...person(2, "Carol"), { kind: "received-frame", frame: { device: 1, mid, at } }])
  expect(await store.hasFrame(1, mid)).toBe(true)
  expect(await store.hasFrame(2, mid)).toBe(false)
  await store.commit([{ kind: "expire", at: at + 399.9 * DAY_MS }])
  expect(await store.hasFrame(1, mid)).toBe(true)
  // One frame in 256 takes the old ones along.
  const another = Buffer.concat([Uint8Array.of(0), randomBytes(7)])
  await store.commit([
    { kind: "received-frame", frame: { device: 1, mid: another, at: at + 400.1 * DAY_MS } },
  ])
  expect(await store.hasFrame(1, mid)).toBe(false)
  expect(await store.hasFrame(1, another)).toBe(true)
})

test("a text is kept once, with one event, however often it comes", async () => {
  const { store } = await withBob()
  const hi = message(1, "hi")
  const arrival = (number: number): Write[] => [
    { kind: "message", message: hi },
    {
      kind: "event",
      event: { number, conversation: direct(1), author: 1, id: hi.id, state: null, change: undefined },
    },
  ]
  expect(await store.commit(arrival(1))).toEqual(new Map())
  expect(await store.commit(arrival(2))).toEqual(new Map([[2, undefined]]))
  expect((await store.history(direct(1), { limit: 10 })).map(({ text }) => text)).toEqual(["hi"])
  expect((await store.events(0, 10)).map(({ number }) => number)).toEqual([1])
  expect(await store.search("hi", { limit: 10 })).toHaveLength(1)
})

test("[W-52] another text under a used id is not stored: a line says so, and the event is that line's", async () => {
  const { store } = await withBob()
  const first = message(1, "the first")
  const second = { ...message(1, "the second"), id: first.id }
  const nothing = new Uint8Array(0)
  const line = { ...message(1, "Bob used an id twice"), author: null, kind: "line", digest: nothing } as const
  await store.commit([{ kind: "message", message: first, ifReused: line }])
  const report = await store.commit([
    { kind: "message", message: second, ifReused: line },
    {
      kind: "event",
      event: { number: 7, conversation: direct(1), author: 1, id: first.id, state: null, change: undefined },
    },
  ])
  const event = { number: 7, conversation: direct(1), author: null, id: new Uint8Array(line.id), state: null }
  expect(report).toEqual(new Map([[7, { ...event, id: line.id }]]))
  expect(await store.events(0, 10)).toEqual([event])
  expect((await store.history(direct(1), { limit: 10 })).map(({ text }) => text)).toEqual([
    "the first",
    "Bob used an id twice",
  ])
  expect(await store.search("second", { limit: 10 })).toEqual([])
})

test("[D-60] a text under an id of ours is not stored, now or after ours was deleted: a line says so", async () => {
  const { store } = await withBob()
  const ours = ownMessage(1, "ours")
  await store.commit([ours])
  const { id, digest } = ours.message
  const arrives = async (said: string): Promise<string | undefined> => {
    const line = { ...message(1, "Bob used an id of ours"), author: null, kind: "line", digest: id } as const
    const theirs = { ...message(1, said), id, digest }
    await store.commit([{ kind: "message", message: theirs, ifReused: line }])
    return (await store.history(direct(1), { limit: 1 }))[0]?.text
  }
  expect(await arrives("theirs")).toBe("Bob used an id of ours")
  await store.commit([{ kind: "delete", conversation: direct(1), from: 1, upTo: 1, at: 5 }])
  expect(await arrives("theirs again")).toBe("Bob used an id of ours")
  expect(await store.findMessage({ conversation: direct(1), author: 1, id })).toBeUndefined()
  expect(await store.search("theirs", { limit: 10 })).toEqual([])
})

test("[D-10] a state that a text has reached, or cannot reach any more, is no event", async () => {
  const { store } = await withBob()
  const ours = ownMessage(1, "ours")
  await store.commit([ours])
  const reached = async (
    state: Recipient["state"],
    number: number,
    id: Uint8Array = ours.message.id,
  ): Promise<boolean> => {
    const report = await store.commit([
      { kind: "message-state", conversation: direct(1), contact: 1, id, state, at: 5 },
      {
        kind: "event",
        event: { number, conversation: direct(1), author: null, id, state, change: undefined },
      },
    ])
    return !report.has(number)
  }
  expect(await reached("read", 1)).toBe(true)
  expect(await reached("delivered", 2)).toBe(false)
  expect(await reached("read", 3)).toBe(false)
  expect(await reached("read", 4, randomBytes(8))).toBe(false)
  expect((await store.events(0, 10)).map(({ number }) => number)).toEqual([1])
})

test("a text that has disappeared is known for 400 days when it comes again, and no longer", async () => {
  const { store } = await withBob()
  const at = 1_800_000_000_000
  const hi = { ...message(1, "hi"), timer: 1, expiresAt: at }
  await store.commit([{ kind: "message", message: hi }])
  for (const [days, isKnown] of [
    [0, true],
    [399.9, true],
    [400.1, false],
  ] as const) {
    await store.commit([{ kind: "expire", at: at + days * DAY_MS }])
    expect(await store.history(direct(1), { limit: 10 })).toEqual([])
    await store.commit([{ kind: "message", message: { ...hi, expiresAt: 0 } }])
    expect(await store.history(direct(1), { limit: 10 })).toHaveLength(isKnown ? 0 : 1)
  }
})

test("[D-60] the ids of what was deleted come along when another contact takes the conversation over", async () => {
  const { store } = await withBob()
  const [theirs, ours] = [message(1, "theirs"), ownMessage(1, "ours")]
  await store.commit([...person(2, "bob-2"), { kind: "message", message: theirs }, ours])
  await store.commit([{ kind: "delete", conversation: direct(1), from: 1, upTo: 2, at: 5 }])
  await store.commit([
    { kind: "adopt-history", from: 1, to: 2 },
    { kind: "forget-contact", id: 1 },
  ])
  expect(await store.knownIds(undefined, 9)).toMatchObject([
    { conversation: direct(2), author: 0, digest: plain(ours.message.digest) },
    { conversation: direct(2), author: 2, digest: plain(theirs.digest) },
  ])
  const [first] = await store.knownIds(undefined, 1)
  expect(await store.knownIds(first, 9)).toHaveLength(1)
})
