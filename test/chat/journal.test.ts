import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"

import type { Told } from "../../src/chat/decision.ts"
import { openJournal } from "../../src/chat/journal.ts"
import { Fault } from "../../src/errors.ts"
import type { Store, Write } from "../../src/store/records.ts"
import { openStore } from "../../src/store/store.ts"
import { Town } from "./people.ts"

/** A real store that counts its commits, and can be told to refuse one. */
async function countingStore(): Promise<{ store: Store; commits: Write[][]; refuse: (why: Fault) => void }> {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-journal-"))
  const store = await openStore(join(folder, "messages.db"), new Uint8Array(32))
  onTestFinished(async () => {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const commits: Write[][] = []
  let refusal: Fault | undefined
  return {
    commits,
    refuse: (why) => (refusal = why),
    store: {
      ...store,
      commit: async (writes) => {
        const why = refusal
        refusal = undefined
        if (why !== undefined) throw why
        commits.push([...writes])
        await store.commit(writes)
      },
    },
  }
}

const setting = (key: string, value: number): Write => ({
  kind: "setting",
  key,
  value: Uint8Array.of(value),
})
const decide = (...commit: Write[]) => ({
  commit: commit as never[],
  tell: [] as Told[],
  result: commit.length,
})
const silence = () => Promise.resolve()

test("steps that come together share commits of 128, and each sees what those before it decided", async () => {
  const { store, commits } = await countingStore()
  const journal = await openJournal(store, silence)
  const steps = Array.from({ length: 140 }, () =>
    journal.run((book) => decide(setting(`count-${book.settings.size}`, book.settings.size))),
  )
  await Promise.all(steps)
  expect(commits.map(({ length }) => length)).toEqual([128, 12])
  expect((await store.load()).settings.get("count-139")).toEqual(Uint8Array.of(139))
})

test("whatever the sockets hold by now shares a commit with the step that came first", async () => {
  const { store, commits } = await countingStore()
  const journal = await openJournal(store, silence)
  const first = journal.run(() => decide(setting("first", 1)))
  for (let microtask = 0; microtask < 10; microtask++) await Promise.resolve()
  await Promise.all([first, journal.run(() => decide(setting("second", 2)))])
  expect(commits.map(({ length }) => length)).toEqual([2])
})

test("of what a commit writes over and over only the last is written", async () => {
  const { store, commits } = await countingStore()
  const journal = await openJournal(store, silence)
  const steps = [1, 2, 3].map((n) => journal.run(() => decide(setting("count", n), setting(`${n}`, n))))
  await Promise.all(steps)
  expect(commits.map(({ length }) => length)).toEqual([4])
  expect((await store.load()).settings.get("count")).toEqual(Uint8Array.of(3))
})

test("a step that throws takes none of its neighbours with it", async () => {
  const { store } = await countingStore()
  const journal = await openJournal(store, silence)
  const [before, thrown, after] = await Promise.allSettled([
    journal.run(() => decide(setting("a", 1))),
    journal.run(() => {
      throw new Fault("not-found", "no such contact")
    }),
    journal.run(() => decide(setting("b", 2))),
  ])
  expect([before.status, thrown.status, after.status]).toEqual(["fulfilled", "rejected", "fulfilled"])
  expect([...(await store.load()).settings.keys()].sort()).toEqual(["a", "b"])
})

test("after a commit that failed, memory is what the disk says", async () => {
  const { store, refuse } = await countingStore()
  const journal = await openJournal(store, silence)
  await journal.run(() => decide(setting("a", 1)))
  refuse(new Fault("disk-full", "no space left"))
  await expect(journal.run(() => decide(setting("a", 2)))).rejects.toMatchObject({ code: "disk-full" })
  expect(journal.book().settings.get("a")).toEqual(Uint8Array.of(1))
  const seen = await journal.run((book) => ({ ...decide(), result: book.settings.get("a") }))
  expect(seen).toEqual(Uint8Array.of(1))
})

test("what is told was on disk before, and comes in the order of the steps", async () => {
  const { store } = await countingStore()
  const heard: string[] = []
  const journal = await openJournal(store, async (told) => {
    const { settings } = await store.load()
    for (const each of told) heard.push(`${JSON.stringify(each)} ${String(settings.get("a")?.[0])}`)
  })
  const tell = (total: number): Told => ({ told: "event", event: { event: "dropped", total } })
  await Promise.all([
    journal.run(() => ({ ...decide(setting("a", 1)), tell: [tell(1)] })),
    journal.run(() => ({ ...decide(setting("a", 2)), tell: [tell(2), tell(3)] })),
  ])
  await journal.idle()
  expect(heard.map((line) => /"total":(\d)/.exec(line)?.[1])).toEqual(["1", "2", "3"])
  expect(heard.every((line) => line.endsWith(" 2"))).toBe(true)
})

test("a thousand messages at once: every one has its event", async () => {
  const town = new Town()
  const alice = await town.person("alice")
  const bob = await town.person("bob")
  await town.pair(alice, bob)
  const texts = Array.from({ length: 1_000 }, (_, n) => `message ${n}`)
  await Promise.all(texts.map((text) => alice.send("bob", text)))
  await town.clock.pass(1_000)
  const heardBy = (events: typeof alice.events) =>
    events.flatMap((event) => (event.event === "message" ? [event.message.text] : []))
  expect(heardBy(alice.events)).toEqual(texts)
  expect(heardBy(bob.events)).toEqual(texts)
})
