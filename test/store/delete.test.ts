import { randomBytes } from "node:crypto"
import { copyFileSync, existsSync, readFileSync, statSync } from "node:fs"
import { expect, onTestFinished, test } from "vitest"
import { Database } from "../../src/store/database.ts"
import { nodeFiles } from "../../src/store/files.ts"
import { openStore } from "../../src/store/store.ts"
import { DAY_MS } from "../../src/time-units.ts"
import { conversation, direct, person, freshPath, message } from "./store-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"

const WORD = "zyzzogeton"
const AT = 1_764_000_100_000

async function opened(path = freshPath(), key = randomBytes(32)): Promise<Store> {
  const store = await openStore(path, new Uint8Array(key))
  onTestFinished(() => store.close())
  return store
}

/** The pages of the database and of its log as they would be without encryption, free ones included. */
async function decrypted(path: string, key: Uint8Array): Promise<string> {
  const copy = `${path}.copy`
  for (const suffix of ["", "-wal"]) if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix)
  const database = await Database.open(copy, new Uint8Array(key), nodeFiles)
  database.execute("PRAGMA journal_mode=delete; PRAGMA rekey=''")
  database.close()
  return readFileSync(copy, "latin1")
}

async function withMessages(path: string, key: Uint8Array): Promise<Store> {
  const store = await opened(path, Buffer.from(key))
  await store.commit([...person(1, "bob"), ...person(2, "carol")])
  for (let number = 1; number <= 200; number++) {
    const id = Buffer.alloc(8, number)
    await store.commit([
      { kind: "message", message: message(1, `${WORD}${number} and more words ${"x".repeat(3000)}`, id) },
      {
        kind: "event",
        event: { number, conversation: direct(1), author: 1, id, state: null, change: undefined },
      },
    ])
  }
  await store.commit([{ kind: "message", message: message(2, "carol keeps hers") }])
  return store
}

test("what was deleted is in no page of the file or its log, while the store stays open", async () => {
  const [path, key] = [freshPath(), randomBytes(32)]
  const store = await withMessages(path, key)
  expect(await decrypted(path, key)).toContain(`${WORD}100 and more`)
  await store.commit([{ kind: "delete", conversation: direct(1), from: 1, upTo: 200, at: AT }])
  expect(statSync(`${path}-wal`).size).toBe(0)
  const pages = await decrypted(path, key)
  expect(pages).toContain("carol keeps hers")
  expect(pages).not.toContain(WORD)
  expect(pages).not.toContain("x".repeat(100))
  expect(await store.isWhole()).toBe(true)
})

test("a draft that was removed is in no page of the file or its log either", async () => {
  const [path, key] = [freshPath(), randomBytes(32)]
  const store = await opened(path, Buffer.from(key))
  const drafted = (draft: string) =>
    ({ kind: "conversation", conversation: { ...conversation(1), draft } }) as const
  await store.commit(person(1, "bob"))
  await store.commit([drafted(`${WORD} ${"y".repeat(9000)}`)])
  await store.commit([drafted(`${WORD}, shorter`)])
  expect(await decrypted(path, key)).toContain(WORD)
  await store.commit([drafted("")])
  const pages = await decrypted(path, key)
  expect(pages).not.toContain(WORD)
  expect(pages).not.toContain("y".repeat(100))
})

test.each([
  ["a forgotten contact", { kind: "forget-contact", id: 1 } as const],
  ["what has expired", { kind: "expire", at: AT } as const],
])("so it is with %s", async (_name, write) => {
  const [path, key] = [freshPath(), randomBytes(32)]
  const store = await opened(path, key)
  await store.commit([
    ...person(1, "bob"),
    { kind: "message", message: { ...message(1, WORD), timer: 1, expiresAt: AT - 1 } },
  ])
  await store.commit([write])
  expect(statSync(`${path}-wal`).size).toBe(0)
  expect(await decrypted(path, key)).not.toContain(WORD)
})

test("one message is deleted with its entries in the log of events and in the index of words", async () => {
  const store = await withMessages(freshPath(), randomBytes(32))
  await store.commit([{ kind: "delete", conversation: direct(1), from: 7, upTo: 7, at: AT }])
  expect((await store.history(direct(1), { limit: 300 })).map(({ seq }) => seq)).not.toContain(7)
  expect(await store.search(`${WORD}7`, { limit: 300 })).toHaveLength(10)
  expect((await store.events(0, 300)).map(({ number }) => number)).not.toContain(7)
  expect(await store.events(0, 300)).toHaveLength(199)
  expect(await store.countMessages(direct(1), 1, 200)).toEqual({ messages: 199, lastSeq: 200 })
})

test("a deleted text that comes again is not stored again, for 400 days", async () => {
  const store = await opened()
  const once = message(1, "once")
  await store.commit([...person(1, "bob"), { kind: "message", message: once }])
  await store.commit([{ kind: "delete", conversation: direct(1), from: 1, upTo: 1, at: AT }])
  await store.commit([{ kind: "expire", at: AT + 399 * DAY_MS }])
  await store.commit([{ kind: "message", message: once }])
  expect(await store.history(direct(1), { limit: 9 })).toEqual([])
  await store.commit([{ kind: "expire", at: AT + 401 * DAY_MS }])
  await store.commit([{ kind: "message", message: once }])
  expect(await store.history(direct(1), { limit: 9 })).toHaveLength(1)
})

test("messages are found by the beginning of their id, among all contacts", async () => {
  const store = await withMessages(freshPath(), randomBytes(32))
  const found = await store.messagesBetween(Buffer.alloc(8, 9), Buffer.alloc(8, 11), { limit: 2 })
  expect(found.map(({ seq }) => seq)).toEqual([9, 10])
})

test("a message of one conversation is found however many of others have ids that begin so", async () => {
  const store = await opened()
  await store.commit([...person(1, "alice"), ...person(2, "bob")])
  for (let n = 0; n < 20; n += 1)
    await store.commit([{ kind: "message", message: message(1, "hers", Buffer.of(10, n, 0, 0, 0, 0, 0, 0)) }])
  const his = Buffer.of(10, 255, 0, 0, 0, 0, 0, 0)
  await store.commit([{ kind: "message", message: message(2, "his", his) }])
  const page = { conversation: direct(2), limit: 10 }
  const found = await store.messagesBetween(Buffer.alloc(8, 10), Buffer.of(10, ...Buffer.alloc(7, 255)), page)
  expect(found.map(({ text }) => text)).toEqual(["his"])
})

test("history since a time, forward and backward", async () => {
  const store = await opened()
  await store.commit(person(1, "bob"))
  for (const storedAt of [10, 20, 30, 40])
    await store.commit([{ kind: "message", message: { ...message(1, `${storedAt}`), storedAt } }])
  const texts = async (page: Parameters<Store["history"]>[1]): Promise<string[]> =>
    (await store.history(direct(1), page)).map(({ text }) => text)
  expect(await texts({ since: 20, limit: 2 })).toEqual(["30", "40"])
  expect(await texts({ since: 20, after: 0, limit: 2 })).toEqual(["20", "30"])
  expect(await texts({ since: 20, before: 3, limit: 9 })).toEqual(["20"])
})
