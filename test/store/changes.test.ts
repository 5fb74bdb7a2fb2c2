import { randomBytes } from "node:crypto"
import { copyFileSync, existsSync, readFileSync, statSync } from "node:fs"
import fc from "fast-check"
import { expect, onTestFinished, test } from "vitest"
import { applyChange, newContent, type Content, type ContentChange } from "../../src/content/content.ts"
import { Database } from "../../src/store/database.ts"
import { nodeFiles } from "../../src/store/files.ts"
import type { Write } from "../../src/store/records.ts"
import { openStore } from "../../src/store/store.ts"
import { direct, freshPath, message, ownMessage, person } from "./store-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"
import type { NewMessage, StoredMessage } from "../../src/store/message-records.ts"

const AT = 1_764_000_100_000
const BOB = 1
const KEY = randomBytes(32)

async function withBob(path = freshPath()): Promise<Store> {
  const store = await openStore(path, new Uint8Array(KEY))
  onTestFinished(() => store.close())
  await store.commit(person(BOB, "bob"))
  return store
}

const changed = (of: NewMessage, change: ContentChange, at = AT): Write => ({
  kind: "change",
  conversation: of.conversation,
  author: of.author,
  id: of.id,
  digest: of.digest,
  change,
  at,
})
const edit = (text: string, time: number, by: number | null = BOB): ContentChange => ({
  kind: "edit",
  by,
  time,
  text,
})
const deletion = (time: number): ContentChange => ({ kind: "delete", by: BOB, time })
const reaction = (emoji: string, time: number, by: number | null = null): ContentChange => ({
  kind: "reaction",
  by,
  time,
  emoji,
})
const read = async (store: Store): Promise<readonly StoredMessage[]> =>
  store.history(direct(BOB), { limit: 100 })
const only = async (store: Store): Promise<StoredMessage> => (await read(store))[0]!
const found = async (store: Store, query: string): Promise<string[]> =>
  (await store.search(query, { limit: 10 })).map(({ text }) => text)

test("an edited message says the newest, keeps what it said before, and is found by what it says now", async () => {
  const store = await withBob()
  const hi = message(BOB, "lunch at noon")
  await store.commit([{ kind: "message", message: hi }, changed(hi, edit("lunch at one", 2))])
  await store.commit([changed(hi, edit("lunch at two", 4)), changed(hi, edit("lunch at half past", 3))])
  expect(await only(store)).toMatchObject({
    text: "lunch at two",
    sentAt: hi.sentAt,
    editedAt: 4,
    deletedAt: null,
    previous: [
      { text: "lunch at noon", time: hi.sentAt },
      { text: "lunch at one", time: 2 },
      { text: "lunch at half past", time: 3 },
    ],
  })
  expect(await found(store, "two")).toEqual(["lunch at two"])
  for (const word of ["noon", "one", "past"]) expect(await found(store, word)).toEqual([])
  expect(await store.isWhole()).toBe(true)
})

test("of each person one reaction stays, and a message that never had one says so", async () => {
  const store = await withBob()
  const hi = message(BOB, "hi")
  await store.commit([{ kind: "message", message: hi }])
  expect((await only(store)).reactions).toEqual([])
  await store.commit([changed(hi, reaction("👍", 5)), changed(hi, reaction("🎉", 3, BOB))])
  await store.commit([changed(hi, reaction("❤️", 6)), changed(hi, reaction("", 4, BOB))])
  expect((await only(store)).reactions).toEqual([
    { by: BOB, emoji: "", time: 4 },
    { by: null, emoji: "❤️", time: 6 },
  ])
})

/** The pages of the database and of its log as they would be without encryption, free ones included. */
async function decrypted(path: string): Promise<string> {
  const copy = `${path}.copy`
  for (const suffix of ["", "-wal"]) if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix)
  const database = await Database.open(copy, new Uint8Array(KEY), nodeFiles)
  database.execute("PRAGMA journal_mode=delete; PRAGMA rekey=''")
  database.close()
  return readFileSync(copy, "latin1")
}

test("[D-97] what was deleted for both is in no page, log or index: neither the text, nor an edit, nor a reaction", async () => {
  const path = freshPath()
  const store = await withBob(path)
  const hi = message(BOB, `firstzyzzogeton ${"x".repeat(5_000)}`)
  await store.commit([
    { kind: "message", message: hi },
    { kind: "message", message: message(BOB, "stays") },
  ])
  await store.commit([
    changed(hi, edit("secondzyzzogeton", 2)),
    changed(hi, edit("thirdzyzzogeton", 3)),
    changed(hi, reaction("👍", 3)),
  ])
  expect(await decrypted(path)).toContain("secondzyzzogeton")
  await store.commit([changed(hi, deletion(9))])
  const pages = await decrypted(path)
  expect(pages).toContain("stays")
  expect(pages).not.toContain("zyzzogeton")
  expect(pages).not.toContain("x".repeat(50))
  expect(pages).not.toContain(Buffer.from("👍").toString("latin1"))
  expect(await only(store)).toMatchObject({
    text: "",
    deletedAt: 9,
    editedAt: null,
    previous: [],
    reactions: [],
  })
  expect(await found(store, "zyzzogeton")).toEqual([])
  expect(await store.isWhole()).toBe(true)
  await store.commit([{ kind: "delete", conversation: direct(BOB), from: 1, upTo: 1, at: AT }])
  expect((await read(store)).map(({ text }) => text)).toEqual(["stays"])
  expect(await store.isWhole()).toBe(true)
})

test("[D-97] a text that is held back is in no page or log once its deletion has come", async () => {
  const path = freshPath()
  const store = await withBob(path)
  const hi = message(BOB, `zyzzogeton ${"x".repeat(5_000)}`)
  const { id, digest, text, sentAt, timer, replyTo } = hi
  const held = { device: BOB, number: 1, storedAt: AT, gone: undefined }
  await store.commit([
    { kind: "held", held: { ...held, text: { id, digest, text, sentAt, timer, replyTo } } },
  ])
  expect(await decrypted(path)).toContain("zyzzogeton")
  const expectErased = async () => {
    expect(statSync(`${path}-wal`).size).toBe(0)
    const pages = await decrypted(path)
    expect(pages).not.toContain("zyzzogeton")
    expect(pages).not.toContain("x".repeat(50))
  }
  await store.commit([changed(hi, deletion(9))])
  await expectErased()
  expect((await store.load()).held).toMatchObject([{ ...held, text: { text: "" } }])
  // The engine that took the text still has it in its memory.
  await store.commit([
    { kind: "held-done", device: BOB, number: 1 },
    { kind: "message", message: hi },
  ])
  await expectErased()
  expect(await only(store)).toMatchObject({ text: "", deletedAt: 9 })
})

test("[D-95] a change that comes before its message applies when that is here", async () => {
  const store = await withBob()
  const [edited, deleted] = [message(BOB, "draft"), message(BOB, "regret")]
  const first = await store.commit([
    changed(edited, edit("final", 9)),
    {
      kind: "event",
      event: {
        number: 1,
        conversation: direct(BOB),
        author: BOB,
        id: edited.id,
        state: null,
        change: "edit",
      },
    },
  ])
  expect(first).toEqual(new Map([[1, undefined]]))
  await store.commit([
    changed(edited, reaction("👍", 8, BOB)),
    changed(deleted, edit("regret more", 5)),
    changed(deleted, deletion(6)),
    changed(deleted, edit("regret most", 7)),
  ])
  await store.commit([
    { kind: "message", message: edited },
    { kind: "message", message: deleted },
  ])
  expect(await read(store)).toMatchObject([
    { text: "final", editedAt: 9, reactions: [{ by: BOB, emoji: "👍" }] },
    { text: "", deletedAt: 6, previous: [] },
  ])
  expect(await found(store, "regret")).toEqual([])
  expect(await store.isWhole()).toBe(true)
})

test("[D-95] a change under another digest is not of this message, and never applies", async () => {
  const store = await withBob()
  const hi = message(BOB, "what was said")
  const other = { ...hi, digest: randomBytes(16) }
  await store.commit([changed(other, edit("early", 9)), { kind: "message", message: hi }])
  await store.commit([changed(other, edit("late", 9))])
  expect(await only(store)).toMatchObject({ text: "what was said", editedAt: null })
})

test("[D-95] nothing waits for a message that has disappeared, or for one of ours", async () => {
  const path = freshPath()
  const store = await withBob(path)
  const [gone, ours] = [message(BOB, "gone"), ownMessage(BOB, "ours").message]
  await store.commit([{ kind: "message", message: gone }])
  await store.commit([{ kind: "delete", conversation: direct(BOB), from: 1, upTo: 1, at: AT }])
  await store.commit([changed(gone, edit("zyzzogeton", 9)), changed(ours, reaction("👍", 9, BOB))])
  expect(await decrypted(path)).not.toContain("zyzzogeton")
  await store.commit([{ kind: "message", message: ours }])
  expect((await only(store)).reactions).toEqual([])
})

test("[D-95] what waits is bounded for each contact, in number, bytes and days", async () => {
  const store = await withBob()
  const [old, next] = [message(BOB, "old"), message(BOB, "next")]
  await store.commit([changed(old, edit("old edit", 1))])
  for (let number = 0; number < 256; number++)
    await store.commit([changed(message(BOB, "never comes"), edit("x", 1))])
  await store.commit([{ kind: "message", message: old }])
  expect((await only(store)).text).toBe("old")
  await store.commit([changed(next, edit("next edit", 1))])
  const long = "x".repeat(60_000)
  for (let number = 0; number < 18; number++)
    await store.commit([changed(message(BOB, "never comes"), edit(long, 1))])
  await store.commit([{ kind: "message", message: next }])
  expect((await read(store))[1]?.text).toBe("next")
  const late = message(BOB, "late")
  await store.commit([changed(late, edit("late edit", 1), AT)])
  await store.commit([changed(message(BOB, "other"), edit("x", 1), AT + 401 * 86_400_000)])
  await store.commit([{ kind: "message", message: late }])
  expect((await read(store))[2]?.text).toBe("late")
})

test("[D-94] of one author a thousand earlier texts are kept in a conversation, and each first one", async () => {
  const store = await withBob()
  const ours = ownMessage(BOB, "we said this")
  const oursEdited = ["and then this", "and now this"].map((text, time) =>
    changed(ours.message, edit(text, time, null)),
  )
  await store.commit([ours, ...oursEdited])
  for (let number = 0; number < 40; number++) {
    const each = message(BOB, `first ${number}`)
    const edits = Array.from({ length: 32 }, (_, time) => changed(each, edit(`edit ${time}`, time)))
    await store.commit([{ kind: "message", message: each }, ...edits])
  }
  const [own, ...messages] = await read(store)
  expect(own?.previous.map(({ text }) => text)).toEqual(["we said this", "and then this"])
  expect(messages.every(({ previous }) => previous[0]?.text.startsWith("first") === true)).toBe(true)
  expect(messages.every(({ text }) => text === "edit 31")).toBe(true)
  const between = messages.map(({ previous }) => previous.length - 1)
  expect(between.reduce((sum, count) => sum + count, 0)).toBe(1_000)
  expect(between.at(-1)).toBe(31)
  expect(between[0]).toBe(0)
})

test("what disappears takes its earlier texts and reactions along", async () => {
  const path = freshPath()
  const store = await withBob(path)
  const hi = { ...message(BOB, "firstzyzzogeton"), timer: 60 }
  await store.commit([{ kind: "message", message: hi }, changed(hi, edit("secondzyzzogeton", 2))])
  await store.commit([{ kind: "shown", conversation: direct(BOB), upTo: 1, at: AT }])
  const before = (await only(store)).expiresAt
  await store.commit([changed(hi, edit("thirdzyzzogeton", 3)), changed(hi, reaction("👍", 3))])
  expect((await only(store)).expiresAt).toBe(before)
  await store.commit([{ kind: "expire", at: AT + 60_000 }])
  expect(await read(store)).toEqual([])
  const pages = await decrypted(path)
  expect(pages).not.toContain("zyzzogeton")
  expect(pages).not.toContain(Buffer.from("👍").toString("latin1"))
  expect(await store.isWhole()).toBe(true)
})

test("a flood of edits is one event, and pushes no other out of the log", async () => {
  const store = await withBob()
  const hi = message(BOB, "hi")
  const event = (number: number, change?: ContentChange["kind"]): Write => ({
    kind: "event",
    event: { number, conversation: direct(BOB), author: BOB, id: hi.id, state: null, change },
  })
  await store.commit([{ kind: "message", message: hi }, event(1)])
  for (let number = 2; number < 100; number++)
    await store.commit([changed(hi, edit(`edit ${number}`, number)), event(number, "edit")])
  await store.commit([changed(hi, reaction("👍", 1)), event(100, "reaction")])
  expect((await store.events(0, 1_000)).map(({ number, change }) => [number, change])).toEqual([
    [1, undefined],
    [99, "edit"],
    [100, "reaction"],
  ])
  const refused = await store.commit([
    changed(hi, edit("older", 1)),
    event(101, "edit"),
    changed(hi, deletion(1)),
  ])
  expect(refused).toEqual(new Map([[101, undefined]]))
  expect(await store.commit([changed(hi, edit("deleted", 999)), event(102, "edit")])).toEqual(
    new Map([[102, undefined]]),
  )
})

test("[D-26] what edits leave, and what waits for its message, counts among what a contact has added", async () => {
  const store = await withBob()
  const hi = message(BOB, "12345")
  await store.commit([
    { kind: "message", message: hi },
    { kind: "received-frame", frame: { device: BOB, mid: randomBytes(8), at: AT } },
    changed(hi, edit("1234567", 2)),
    { kind: "received-frame", frame: { device: BOB, mid: randomBytes(8), at: AT + 1 } },
    changed(message(BOB, "later"), edit("123", 2)),
    { kind: "received-frame", frame: { device: BOB, mid: randomBytes(8), at: AT + 2 } },
  ])
  expect(await store.receivedFrom(BOB, AT)).toEqual({ bytes: 15, times: [AT + 1, AT + 2] })
})

const anyChange: fc.Arbitrary<ContentChange> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.constantFrom("a", "b", "ß", ""), fc.nat(5))
      .map(([text, time]) => edit(`${text}.`, time)),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom("", "👍", "❤️"), fc.nat(5), fc.constantFrom(null, BOB))
      .map(([emoji, time, by]) => reaction(emoji, time, by)),
  },
  { weight: 1, arbitrary: fc.nat(5).map(deletion) },
)

test("[D-92] the store ends where the changes lead, whether they come before the message or after it", async () => {
  const store = await withBob()
  const inOrder = (content: Content, changes: readonly ContentChange[]): Content =>
    changes.reduce((before, change) => {
      const result = applyChange(before, change)
      return result.kind === "changed" ? result.content : before
    }, content)
  await fc.assert(
    fc.asyncProperty(fc.array(anyChange, { maxLength: 12 }), fc.nat(12), async (changes, early) => {
      const hi = message(BOB, "hi")
      const before = changes.slice(0, early).filter(({ by }) => by === BOB)
      const all = [...before, ...changes.slice(early)]
      await store.commit(before.map((change) => changed(hi, change)))
      await store.commit([{ kind: "message", message: hi }])
      await store.commit(all.slice(before.length).map((change) => changed(hi, change)))
      const wanted = inOrder(newContent(BOB, { text: "hi", time: hi.sentAt }), all)
      const stored = await store.findMessage(hi)
      expect(stored).toMatchObject({
        text: (wanted.edits[0] ?? wanted.first).text,
        editedAt: wanted.edits[0]?.time ?? null,
        deletedAt: wanted.deletedAt,
        previous: wanted.edits.length === 0 ? [] : [wanted.first, ...wanted.edits.slice(1).reverse()],
      })
      const byPerson = [...wanted.reactions].sort((a, b) => a.time - b.time || (a.by ?? 0) - (b.by ?? 0))
      expect(stored?.reactions).toEqual(byPerson)
    }),
    { numRuns: 150 },
  )
  expect(await store.isWhole()).toBe(true)
})
