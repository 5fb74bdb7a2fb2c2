import { randomBytes } from "node:crypto"
import { expect, onTestFinished, test } from "vitest"
import * as fc from "fast-check"
import { openStore } from "../../src/store/store.ts"
import { freshPath, message, person } from "./store-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"

async function withBob(): Promise<{ store: Store }> {
  const store = await openStore(freshPath(), randomBytes(32))
  onTestFinished(() => store.close())
  await store.commit(person(1, "Bob"))
  return { store }
}

const SYNTAX = [
  '"',
  '""',
  '"a',
  "a*",
  "*",
  "^a",
  "a:b",
  "text:a",
  "NEAR(a b)",
  "(",
  "a AND",
  "NOT",
  "-a",
  "+",
  "{a b}:c",
  "\0",
  "a\0b",
  "𝕏",
  "\u0301",
]

test("search finds the beginnings of words, all of them, newest first, without accents and case", async () => {
  const { store } = await withBob()
  const texts = ["Café at the harbour", "the cafeteria is closed", "harbour lights", "don't-stop C++"]
  await store.commit(texts.map((text) => ({ kind: "message", message: message(1, text) }) as const))
  const found = async (words: string): Promise<string[]> =>
    (await store.search(words, { limit: 10 })).map((hit) => hit.text)
  expect(await found("cafe")).toEqual([texts[1], texts[0]])
  expect(await found("HARB the")).toEqual([texts[0]])
  expect(await found("don't-stop c++")).toEqual([texts[3]])
  expect(await found("arbour")).toEqual([])
  expect((await store.search("h", { limit: 1 })).map((hit) => hit.text)).toEqual([texts[2]])
})

test("any input is words to look for, never a syntax error", async () => {
  const { store } = await withBob()
  await store.commit([{ kind: "message", message: message(1, "text AND near OR not") }])
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.constantFrom(...SYNTAX)),
      async (words) => {
        expect(Array.isArray(await store.search(words, { limit: 5 }))).toBe(true)
      },
    ),
    { numRuns: 200 },
  )
  for (const words of SYNTAX) expect(await store.search(words, { limit: 5 })).toBeInstanceOf(Array)
  expect(await store.search("AND OR not", { limit: 5 })).toHaveLength(1)
  expect(await store.search("", { limit: 5 })).toEqual([])
  expect(await store.search("*** ---", { limit: 5 })).toEqual([])
})
