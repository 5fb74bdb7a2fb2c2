import { randomBytes } from "node:crypto"
import { expect, test } from "vitest"
import type { Store } from "../../src/store/message-store.ts"
import type { Write } from "../../src/store/records.ts"
import { openStore } from "../../src/store/store.ts"
import { direct, freshPath, message, person } from "./store-fixture.ts"
import { countedFiles } from "./pages-read.ts"

const key = new Uint8Array(32).fill(7)
const AT = 1_764_000_000_000
const FEW = 300
const MANY = 6_000
/** A tree of twenty times as many rows is one page deeper, and several trees are searched. */
const DEEPER = 8

const frame = (first: number): Write => ({
  kind: "received-frame",
  frame: { device: 1, mid: Buffer.concat([Buffer.of(first), randomBytes(7)]), at: AT },
})

/** How many pages of a store with so many rows are read, once it is open. */
async function pagesOf(rows: readonly Write[], act: (store: Store) => Promise<unknown>): Promise<number> {
  const path = freshPath()
  const filled = await openStore(path, new Uint8Array(key))
  await filled.commit([...person(1, "bob"), ...rows])
  await filled.close()
  const { files, pagesRead } = countedFiles()
  const store = await openStore(path, new Uint8Array(key), files)
  const before = pagesRead()
  await act(store)
  const read = pagesRead() - before
  await store.close()
  return read
}

const many = (count: number, row: () => Write): Write[] => Array.from({ length: count }, row)

const knownId = (): Write => ({
  kind: "known-id",
  known: { conversation: direct(1), author: 1, id: randomBytes(8), digest: randomBytes(16), at: AT },
})
const text = (): Write => ({ kind: "message", message: { ...message(1, "hello"), shown: true } })

test.each<[string, () => Write, (store: Store) => Promise<unknown>]>([
  // One frame in 256 looks for those that are old enough to be forgotten.
  ["a frame arrives", () => frame(1), (store) => store.commit([frame(0)])],
  ["a message disappears", knownId, (store) => store.commit([{ kind: "expire", at: AT }])],
  ["a message disappears from a long history", text, (store) => store.commit([{ kind: "expire", at: AT }])],
  ["the next timer is looked for", text, (store) => store.nextExpiry()],
  ["what is unread is counted", text, (store) => store.countUnshown()],
  ["the last messages are shown", text, (store) => store.history(direct(1), { limit: 20 })],
])("however much is kept, as little is read when %s", async (_, row, act) => {
  const [few, lots] = [await pagesOf(many(FEW, row), act), await pagesOf(many(MANY, row), act)]
  expect(lots - few).toBeLessThanOrEqual(DEEPER)
})
