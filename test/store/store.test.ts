import { randomBytes } from "node:crypto"
import { afterEach, expect, test } from "vitest"
import * as fc from "fast-check"
import { openStore } from "../../src/store/store.ts"
import {
  direct,
  contact,
  device,
  deviceParts,
  partWrites,
  freshPath,
  message,
  openBundle,
  outgoing,
  plain,
  person,
} from "./store-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"

const open: Store[] = []

async function storeAt(path: string, key: Uint8Array): Promise<Store> {
  const store = await openStore(path, key)
  open.push(store)
  return store
}

afterEach(async () => {
  for (const store of open.splice(0)) await store.close()
})

/** Closes and opens again: what the next process would see. */
async function reopened(store: Store, path: string, key: Uint8Array): Promise<Store> {
  await store.close()
  return storeAt(path, key)
}

async function withBob(): Promise<{ path: string; key: Uint8Array; store: Store }> {
  const path = freshPath()
  const key = randomBytes(32)
  const store = await storeAt(path, key)
  await store.commit(person(1, "Bob"))
  return { path, key, store }
}

test("a new profile remembers nothing, and numbers begin at one", async () => {
  const store = await storeAt(freshPath(), randomBytes(32))
  expect(await store.load()).toEqual({
    contacts: [],
    linksOf: expect.any(Function) as unknown,
    ownLinks: [],
    devices: [],
    conversations: [],
    introductions: [],
    nextIntroduction: 1,
    snapshotOf: expect.any(Function) as unknown,
    outgoing: [],
    held: [],
    openBundles: [],
    offers: [],
    unfinished: [],
    rows: expect.any(Object) as unknown,
    waiting: expect.any(Object) as unknown,
    deviceParts: new Map(),
    settings: new Map(),
    nextContact: 1,
    nextDevice: 1,
    nextConversation: 1,
    nextOutgoing: 1,
    nextEvent: 1,
  })
  expect(await store.unshown()).toEqual([])
})

test("everything that Alice commits is there when the next process opens the profile", async () => {
  const path = freshPath()
  const key = randomBytes(32)
  const bob = contact(1, "Bob")
  const [laptop, phone] = [device(1, 1), device(2, 1)]
  const frames = [outgoing(7, 1), { ...outgoing(9, 1), kind: "init", published: true, attempts: 3 } as const]
  const bundles = [openBundle(null), openBundle(1)]
  const snapshot = randomBytes(3000)
  const parts = deviceParts()
  const store = await storeAt(path, key)
  await store.commit([
    { kind: "session", device: 1, snapshot },
    { kind: "device", device: phone },
    { kind: "device", device: laptop },
    { kind: "contact", contact: bob },
    ...frames.map((frame) => ({ kind: "outgoing", outgoing: frame }) as const),
    ...bundles.map((bundle) => ({ kind: "open-bundle", bundle }) as const),
    ...partWrites(1, parts),
    { kind: "setting", key: "pairing", value: Uint8Array.of(1, 2, 3) },
  ])
  const found = await (await reopened(store, path, key)).load()
  expect(found.contacts).toEqual([plain(bob)])
  expect(found.devices).toEqual([laptop, phone].map(plain))
  expect([found.snapshotOf(1), found.snapshotOf(2)]).toEqual([new Uint8Array(snapshot), undefined])
  expect(found.outgoing).toEqual(frames.map(plain))
  expect(found.deviceParts).toEqual(new Map([[1, plain(parts)]]))
  expect(new Set(found.openBundles)).toEqual(new Set(bundles.map(plain)))
  expect(found.settings).toEqual(new Map([["pairing", Uint8Array.of(1, 2, 3)]]))
  expect([found.nextContact, found.nextDevice, found.nextOutgoing]).toEqual([2, 3, 10])
})

test("a later write replaces what it names", async () => {
  const { path, key, store } = await withBob()
  const frame = outgoing(1, 1)
  const bundle = openBundle(null)
  const robert = { ...contact(1, "Robert"), verified: true, blocked: true } as const
  const laptop = { ...device(1, 1), state: "recovering" } as const
  await store.commit([
    { kind: "outgoing", outgoing: frame },
    { kind: "open-bundle", bundle },
    { kind: "session", device: 1, snapshot: randomBytes(10) },
    { kind: "setting", key: "replaced", value: randomBytes(1) },
  ])
  await store.commit([
    { kind: "contact", contact: robert },
    { kind: "device", device: laptop },
    { kind: "outgoing", outgoing: { ...frame, published: true, attempts: 2, dueAt: 5 } },
    { kind: "open-bundle", bundle: { ...bundle, device: 1 } },
    { kind: "session", device: 1, snapshot: Uint8Array.of(9) },
    { kind: "setting", key: "replaced", value: Uint8Array.of(8) },
  ])
  const found = await (await reopened(store, path, key)).load()
  expect(found.contacts).toEqual([plain(robert)])
  expect(found.devices).toEqual([plain(laptop)])
  expect(found.outgoing).toEqual([plain({ ...frame, published: true, attempts: 2, dueAt: 5 })])
  expect(found.openBundles).toEqual([plain({ ...bundle, device: 1 })])
  expect(found.snapshotOf(1)).toEqual(Uint8Array.of(9))
  expect(found.settings).toEqual(new Map([["replaced", Uint8Array.of(8)]]))
})

test("what is done or closed is gone", async () => {
  const { store } = await withBob()
  const bundle = openBundle(1)
  await store.commit([
    { kind: "outgoing", outgoing: outgoing(1, 1) },
    { kind: "outgoing", outgoing: outgoing(2, 1) },
    { kind: "open-bundle", bundle },
  ])
  await store.commit([
    { kind: "outgoing-done", seq: 1 },
    { kind: "close-bundle", tag: bundle.tag },
  ])
  const found = await store.load()
  expect(found.outgoing.map((frame) => frame.seq)).toEqual([2])
  expect(found.openBundles).toEqual([])
})

test("a forgotten contact takes all that was theirs along, and their number never comes back", async () => {
  const { path, key, store } = await withBob()
  await store.commit([
    ...person(2, "Carol"),
    { kind: "device", device: device(3, 2) },
    { kind: "session", device: 3, snapshot: randomBytes(9) },
    ...partWrites(3, deviceParts()),
    { kind: "session", device: 2, snapshot: randomBytes(9) },
    { kind: "message", message: message(2, "soon forgotten") },
    { kind: "message", message: message(1, "soon remembered") },
    { kind: "outgoing", outgoing: outgoing(1, 2) },
    { kind: "open-bundle", bundle: openBundle(2) },
    ...partWrites(2, deviceParts()),
  ])
  await store.commit([{ kind: "forget-contact", id: 2 }])
  const next = await reopened(store, path, key)
  const found = await next.load()
  expect(found.contacts.map((known) => known.name)).toEqual(["Bob"])
  expect([found.outgoing.length, found.openBundles.length]).toEqual([0, 0])
  expect(found.snapshotOf(2)).toBeUndefined()
  expect(found.deviceParts).toEqual(new Map())
  expect(found.devices.map(({ contact }) => contact)).toEqual([1])
  expect([found.nextContact, found.nextDevice]).toEqual([3, 4])
  expect(await next.history(direct(2), { limit: 10 })).toEqual([])
  expect((await next.search("soon", { limit: 10 })).map((hit) => hit.text)).toEqual(["soon remembered"])
})

test("two contacts cannot bear one name, whatever its case, and the commit that tries leaves nothing behind", async () => {
  const { store } = await withBob()
  await expect(
    store.commit([{ kind: "setting", key: "replaced", value: randomBytes(1) }, ...person(2, "bOB")]),
  ).rejects.toMatchObject({ code: "bug" })
  const found = await store.load()
  expect(found.contacts.length).toBe(1)
  expect(found.settings.size).toBe(0)
})

test("two contacts may swap their names in one commit, through a third", async () => {
  const { store } = await withBob()
  const [bob] = (await store.load()).contacts
  const carol = contact(2, "Carol")
  if (bob === undefined) throw new Error("Bob was committed")
  await store.commit([{ kind: "contact", contact: carol }])
  await store.commit([
    { kind: "contact", contact: { ...bob, name: "someone" } },
    { kind: "contact", contact: { ...carol, name: "Bob" } },
    { kind: "contact", contact: { ...bob, name: "Carol" } },
  ])
  expect((await store.load()).contacts.map((known) => known.name)).toEqual(["Carol", "Bob"])
})

test("a message for nobody is refused with the whole commit", async () => {
  const { store } = await withBob()
  const lost = store.commit([
    { kind: "message", message: message(1, "for Bob") },
    { kind: "message", message: message(42, "for nobody") },
  ])
  await expect(lost).rejects.toMatchObject({ code: "bug" })
  expect(await store.history(direct(1), { limit: 10 })).toEqual([])
  await store.commit([{ kind: "message", message: message(1, "after all") }])
  expect(await store.history(direct(1), { limit: 10 })).toHaveLength(1)
})

test("history is turned back page by page", async () => {
  const { store } = await withBob()
  await store.commit([...person(2, "Carol")])
  for (let number = 1; number <= 9; number++) {
    await store.commit([
      { kind: "message", message: message(1, `to Bob ${number}`) },
      { kind: "message", message: message(2, `to Carol ${number}`) },
    ])
  }
  const last = await store.history(direct(1), { limit: 4 })
  expect(last.map((entry) => entry.text)).toEqual([6, 7, 8, 9].map((number) => `to Bob ${number}`))
  const before = await store.history(direct(1), { limit: 4, before: last[0]?.seq })
  expect(before.map((entry) => entry.text)).toEqual([2, 3, 4, 5].map((number) => `to Bob ${number}`))
  const first = await store.history(direct(1), { limit: 4, before: before[0]?.seq })
  expect(first.map((entry) => entry.text)).toEqual(["to Bob 1"])
})

test("messages wait to be shown, each conversation up to its own mark", async () => {
  const { store } = await withBob()
  await store.commit([
    ...person(2, "Carol"),
    ...["one", "two", "three"].map((text) => ({ kind: "message", message: message(1, text) }) as const),
    { kind: "message", message: message(2, "four") },
  ])
  const waiting = await store.unshown()
  expect(waiting.map((entry) => entry.text)).toEqual(["one", "two", "three", "four"])
  await store.commit([{ kind: "shown", conversation: direct(1), upTo: waiting[1]?.seq ?? 0, at: 5 }])
  expect((await store.unshown()).map((entry) => entry.text)).toEqual(["three", "four"])
})

test("any text comes back as it went in, zero bytes and empty ones too", async () => {
  const { store } = await withBob()
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 300 }), async (text) => {
      const id = randomBytes(8)
      await store.commit([{ kind: "message", message: message(1, text, id) }])
      expect((await store.history(direct(1), { limit: 1 }))[0]).toMatchObject({
        text,
        id: new Uint8Array(id),
      })
    }),
    { numRuns: 50, examples: [[""], ["\0"], ["a\0b"], ["'; DROP TABLE messages; --"]] },
  )
})

test("the largest message and a frame of 64 KiB are kept whole", async () => {
  const { store } = await withBob()
  const text = "ü".repeat(32_700)
  const wire = randomBytes(65_536)
  await store.commit([
    { kind: "message", message: message(1, text) },
    { kind: "outgoing", outgoing: { ...outgoing(1, 1), wire } },
  ])
  expect((await store.history(direct(1), { limit: 1 }))[0]?.text).toBe(text)
  expect((await store.load()).outgoing[0]?.wire).toEqual(new Uint8Array(wire))
})

test("a closed store refuses", async () => {
  const { store } = await withBob()
  await store.close()
  await expect(store.load()).rejects.toMatchObject({ code: "bug" })
  await expect(store.commit([])).rejects.toMatchObject({ code: "bug" })
  await store.close()
})
