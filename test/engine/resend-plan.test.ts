import { randomBytes } from "node:crypto"
import fc from "fast-check"
import { expect, test } from "vitest"
import { planResend, type LostTexts } from "../../src/engine/messages/resend-plan.ts"
import { openStore } from "../../src/store/store.ts"
import type { Store } from "../../src/store/message-store.ts"
import { direct, freshPath, message, ownMessage, person } from "../store/store-fixture.ts"

const NOW = 1_764_000_000_002
const ids = (count: number) =>
  Array.from({ length: count }, (_, n) => new Uint8Array(Buffer.from(`id ${String(n).padStart(5, "0")}`)))

/** Alice's store with so many texts to Bob that he has, and one of his between any two. */
async function aliceWith(texts: readonly Uint8Array[]): Promise<Store> {
  const store = await openStore(freshPath(), randomBytes(32))
  await store.commit(person(1, "Bob"))
  for (const [n, id] of texts.entries()) {
    const delivered = { conversation: direct(1), contact: 1, id, state: "delivered", at: NOW } as const
    await store.commit([
      ownMessage(1, `text ${n}`, id),
      { kind: "message-state", ...delivered },
      { kind: "message", message: message(1, "from Bob") },
    ])
  }
  return store
}

function lost(have: readonly Uint8Array[], more: Partial<LostTexts> = {}): LostTexts {
  const bounds = { textsMax: 1_000, bytesMax: 1_000_000 }
  return { conversation: direct(1), contact: 1, have, since: 0, now: NOW, wall: NOW, ...bounds, ...more }
}

test("[D-132] all behind the oldest text that is named is sent again, but for those that are named", async () => {
  const all = ids(30)
  const store = await aliceWith(all)
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(29), { minLength: 1, maxLength: 6 }), async (named) => {
      const { ids: again, isCut } = await planResend(store, lost(named.map((n) => all[n]!)))
      const oldest = Math.min(...named)
      expect(again).toEqual(all.filter((_, n) => n > oldest && !named.includes(n)))
      expect(isCut).toBe(false)
    }),
    { numRuns: 40 },
  )
  expect((await planResend(store, lost([]))).ids).toEqual(all)
  await store.close()
})

test("[D-132] of texts that were never sent here nothing follows; of one that is gone, that it is not known what follows it", async () => {
  const all = ids(9)
  const store = await aliceWith(all)
  expect(await planResend(store, lost([randomBytes(8), randomBytes(8)]))).toEqual({
    ids: [],
    isCut: false,
    changes: [],
  })
  await store.commit([{ kind: "delete", conversation: direct(1), from: 1, upTo: 2, at: NOW }])
  expect((await planResend(store, lost([all[0]!]))).ids).toEqual(all.slice(1))
  expect((await planResend(store, lost([all[0]!, all[4]!]))).ids).toEqual(all.slice(5))
  await store.close()
})

test("[D-133] the newest are sent again, as many as fit the bounds", async () => {
  const all = ids(450)
  const store = await aliceWith(all)
  expect(await planResend(store, lost([], { textsMax: 401 }))).toMatchObject({
    ids: all.slice(-401),
    isCut: true,
  })
  expect(await planResend(store, lost([], { textsMax: 450 }))).toMatchObject({ ids: all, isCut: false })
  // "text 449" has eight bytes.
  expect(await planResend(store, lost([], { bytesMax: 80 }))).toMatchObject({
    ids: all.slice(-10),
    isCut: true,
  })
  expect(await planResend(store, lost([], { bytesMax: 0 }))).toMatchObject({ ids: [], isCut: true })
  expect(await planResend(store, lost([], { since: NOW + 1 }))).toMatchObject({ ids: [], isCut: false })
  await store.close()
})

test("[D-133] what was not delivered to this account, or has timed out, is not sent again", async () => {
  const [one = randomBytes(8), two = randomBytes(8), three = randomBytes(8)] = ids(3)
  const store = await aliceWith([one])
  const timed = ownMessage(1, "timed", three)
  await store.commit([
    ownMessage(1, "queued", two),
    { ...timed, message: { ...timed.message, timer: 1 } },
    { kind: "message-state", conversation: direct(1), contact: 1, id: three, state: "delivered", at: NOW },
  ])
  expect((await planResend(store, lost([]))).ids).toEqual([one, three])
  expect((await planResend(store, lost([], { now: NOW + 1_000 }))).ids).toEqual([one])
  expect((await planResend(store, lost([], { contact: 2 }))).ids).toEqual([])
  await store.close()
})

test("[D-134] a change that a clock behind has dated is sent again as well", async () => {
  const all = ids(2)
  const store = await aliceWith(all)
  const edited = {
    conversation: direct(1),
    author: null,
    id: all[1]!,
    digest: (await store.findMessage({ conversation: direct(1), author: null, id: all[1]! }))!.digest,
  }
  const behind = 1_000_000
  const change = { kind: "edit", by: null, text: "edited", time: NOW - behind } as const
  await store.commit([{ kind: "change", ...edited, change, at: NOW }])
  expect((await planResend(store, lost([all[0]!]))).changes).toEqual([])
  const { changes } = await planResend(store, lost([all[0]!], { wall: NOW - behind }))
  expect(changes).toMatchObject([{ kind: "edit", id: all[1], time: NOW - behind }])
  await store.close()
})
