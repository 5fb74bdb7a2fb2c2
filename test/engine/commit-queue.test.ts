import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"

import type { Effect } from "../../src/engine/state/decision.ts"
import { openCommitQueue } from "../../src/engine/state/commit-queue.ts"
import { Fault } from "../../src/errors.ts"
import type { SettingKey } from "../../src/store/setting-key.ts"
import type { Write } from "../../src/store/records.ts"
import { openStore } from "../../src/store/store.ts"
import { openBundle } from "../store/store-fixture.ts"
import { EngineFixture } from "./engine-fixture.ts"
import type { Store } from "../../src/store/message-store.ts"

/** A real store that counts its commits, and can be set to refuse one. */
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
        return store.commit(writes)
      },
    },
  }
}

const setting = (key: SettingKey, value: number): Write => ({
  kind: "setting",
  key,
  value: Uint8Array.of(value),
})
const bundle = (number: number): Write => ({
  kind: "open-bundle",
  bundle: { ...openBundle(null), tag: new Uint8Array(16).fill(number) },
})
const decide = (...commit: Write[]) => ({
  commit: commit as never[],
  effects: [] as Effect[],
  result: commit.length,
})
const ignoreEffects = () => Promise.resolve()

test("steps that come together share commits of 128, and each sees what those before it decided", async () => {
  const { store, commits } = await countingStore()
  const queue = await openCommitQueue(store, ignoreEffects)
  const steps = Array.from({ length: 140 }, () => queue.run((state) => decide(bundle(state.bundles.size))))
  await Promise.all(steps)
  expect(commits.map(({ length }) => length)).toEqual([128, 12])
  const tags = (await store.load()).openBundles.map(({ tag }) => tag[0])
  expect(tags).toEqual(Array.from({ length: 140 }, (_, n) => n))
})

test("what is in the sockets by now shares a commit with the first step", async () => {
  const { store, commits } = await countingStore()
  const queue = await openCommitQueue(store, ignoreEffects)
  const first = queue.run(() => decide(setting("pairing", 1)))
  for (let microtask = 0; microtask < 10; microtask++) await Promise.resolve()
  await Promise.all([first, queue.run(() => decide(setting("replaced", 2)))])
  expect(commits.map(({ length }) => length)).toEqual([2])
})

test("only the last of repeated writes in a commit is written", async () => {
  const { store, commits } = await countingStore()
  const queue = await openCommitQueue(store, ignoreEffects)
  const steps = [1, 2, 3].map((n) => queue.run(() => decide(setting("pairing", n), bundle(n))))
  await Promise.all(steps)
  expect(commits.map(({ length }) => length)).toEqual([4])
  expect((await store.load()).settings.get("pairing")).toEqual(Uint8Array.of(3))
})

test("a step that throws does not affect the other steps of its commit", async () => {
  const { store } = await countingStore()
  const queue = await openCommitQueue(store, ignoreEffects)
  const [before, thrown, after] = await Promise.allSettled([
    queue.run(() => decide(setting("pairing", 1))),
    queue.run(() => {
      throw new Fault("not-found", "no such contact")
    }),
    queue.run(() => decide(setting("replaced", 2))),
  ])
  expect([before.status, thrown.status, after.status]).toEqual(["fulfilled", "rejected", "fulfilled"])
  expect([...(await store.load()).settings.keys()].sort()).toEqual(["pairing", "replaced"])
})

test("after a failed commit, memory matches the disk", async () => {
  const { store, refuse } = await countingStore()
  const queue = await openCommitQueue(store, ignoreEffects)
  await queue.run(() => decide(setting("pairing", 1)))
  refuse(new Fault("disk-full", "no space left"))
  await expect(queue.run(() => decide(setting("pairing", 2)))).rejects.toMatchObject({ code: "disk-full" })
  expect(queue.state().settings.get("pairing")).toEqual(Uint8Array.of(1))
  const seen = await queue.run((state) => ({ ...decide(), result: state.settings.get("pairing") }))
  expect(seen).toEqual(Uint8Array.of(1))
})

test("events are emitted after their commit, in the order of the steps", async () => {
  const { store } = await countingStore()
  const received: string[] = []
  const queue = await openCommitQueue(store, async (effects) => {
    const { settings } = await store.load()
    for (const each of effects)
      received.push(`${JSON.stringify(each)} ${String(settings.get("pairing")?.[0])}`)
  })
  const drop = (dropped: number): Effect => ({ kind: "event", event: { kind: "dropped", dropped } })
  await Promise.all([
    queue.run(() => ({ ...decide(setting("pairing", 1)), effects: [drop(1)] })),
    queue.run(() => ({ ...decide(setting("pairing", 2)), effects: [drop(2), drop(3)] })),
  ])
  await queue.idle()
  expect(received.map((row) => /"dropped":(\d)/.exec(row)?.[1])).toEqual(["1", "2", "3"])
  expect(received.every((row) => row.endsWith(" 2"))).toBe(true)
})

test("a thousand messages at once: every one has its event", async () => {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  const texts = Array.from({ length: 1_000 }, (_, n) => `message ${n}`)
  await Promise.all(texts.map((text) => alice.send("bob", text)))
  await fixture.clock.pass(1_000)
  const receivedBy = (events: typeof alice.events) =>
    events.flatMap((event) => (event.kind === "message" ? [event.message.text] : []))
  expect(receivedBy(alice.events)).toEqual(texts)
  expect(receivedBy(bob.events)).toEqual(texts)
})
