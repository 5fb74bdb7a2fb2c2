import { randomBytes } from "node:crypto"
import { expect, onTestFinished, test } from "vitest"

import { EVENTS_KEPT } from "../../src/store/event-log.ts"
import type { EventRecord, Write } from "../../src/store/records.ts"
import { openStore } from "../../src/store/store.ts"
import { direct, person, freshPath, message } from "./store-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"

const KEY = new Uint8Array(32).fill(3)
const PAGE = 20_000

async function opened(path: string): Promise<Store> {
  const store = await openStore(path, new Uint8Array(KEY))
  onTestFinished(() => store.close())
  return store
}

const event = (number: number, of: number, change: Partial<EventRecord> = {}): Write => ({
  kind: "event",
  event: {
    ...{ number, conversation: direct(of), author: of, id: randomBytes(8), state: null, change: undefined },
    ...change,
  },
})

const numbers = async (store: Store, after: number, limit = PAGE): Promise<number[]> =>
  (await store.events(after, limit)).map(({ number }) => number)

test("the log gives what was written, in pages, and counts on after a restart", async () => {
  const path = freshPath()
  const store = await openStore(path, new Uint8Array(KEY))
  expect((await store.load()).nextEvent).toBe(1)
  const id = new Uint8Array(randomBytes(8))
  await store.commit([
    ...person(1, "Bob"),
    event(1, 1),
    event(2, 1, { author: null, id, state: "read" }),
    event(3, 1),
  ])
  expect(await numbers(store, 0, 2)).toEqual([1, 2])
  expect(await store.events(1, 1)).toEqual([
    { number: 2, conversation: direct(1), author: null, id, state: "read" },
  ])
  await store.close()
  const next = await opened(path)
  expect(await numbers(next, 2)).toEqual([3])
  expect((await next.load()).nextEvent).toBe(4)
})

test("a forgotten contact takes its events along, and their numbers never come back", async () => {
  const path = freshPath()
  const store = await opened(path)
  await store.commit([...person(1, "Bob"), event(1, 1), event(2, 1)])
  await store.commit([{ kind: "forget-contact", id: 1 }])
  expect(await numbers(store, 0)).toEqual([])
  expect((await store.load()).nextEvent).toBe(3)
})

test("with the history its events go over to the contact that replaces another", async () => {
  const store = await opened(freshPath())
  await store.commit([
    ...person(1, "Bob"),
    ...person(2, "Bob-2"),
    { kind: "message", message: message(1, "hello") },
    event(1, 1),
  ])
  await store.commit([
    { kind: "adopt-history", from: 1, to: 2 },
    { kind: "forget-contact", id: 1 },
  ])
  expect(await store.events(0, PAGE)).toMatchObject([{ number: 1, conversation: direct(2), author: 2 }])
})

test("the log is bounded, and keeps as much as it promises", async () => {
  const store = await opened(freshPath())
  await store.commit(person(1, "Bob"))
  const last = 2 * EVENTS_KEPT + 500
  for (let at = 1; at <= last; at += 1_000) {
    const size = Math.min(1_000, last - at + 1)
    await store.commit(Array.from({ length: size }, (_, index) => event(at + index, 1)))
  }
  const kept = await numbers(store, 0)
  expect(kept).toHaveLength(EVENTS_KEPT + 500)
  expect(kept.at(-1)).toBe(last)
  expect(await numbers(store, last - EVENTS_KEPT)).toHaveLength(EVENTS_KEPT)
})

test("history and search go on from a cursor in both directions", async () => {
  const store = await opened(freshPath())
  await store.commit(person(1, "Bob"))
  for (let n = 1; n <= 9; n++) await store.commit([{ kind: "message", message: message(1, `note ${n}`) }])
  const seqs = (found: readonly { seq: number }[]): number[] => found.map(({ seq }) => seq)
  expect(seqs(await store.history(direct(1), { limit: 3 }))).toEqual([7, 8, 9])
  expect(seqs(await store.history(direct(1), { limit: 3, before: 7 }))).toEqual([4, 5, 6])
  expect(seqs(await store.history(direct(1), { limit: 3, after: 2 }))).toEqual([3, 4, 5])
  expect(seqs(await store.history(direct(1), { limit: 3, after: 2, before: 4 }))).toEqual([3])
  expect(seqs(await store.search("note", { limit: 3, before: 7 }))).toEqual([6, 5, 4])
  expect(seqs(await store.search("note", { limit: 3, after: 7 }))).toEqual([9, 8])
})
