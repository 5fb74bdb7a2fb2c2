import { setImmediate as nextTurn } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { expect, test, vi } from "vitest"
import { couple } from "./engine-fixture.ts"

const collected: WeakRef<Map<unknown, unknown> | Set<unknown>>[] = []

/** Those of the program, not of what runs the tests. */
function watch(made: Map<unknown, unknown> | Set<unknown>): void {
  if (new Error().stack?.includes("/src/") === true) collected.push(new WeakRef(made))
}

/** From now on every map and set that the program makes is known as long as something holds it. */
function watchCollections(): void {
  class WatchedMap<Key, Value> extends Map<Key, Value> {
    constructor(entries?: Iterable<readonly [Key, Value]> | null) {
      super(entries)
      watch(this)
    }
  }
  class WatchedSet<Value> extends Set<Value> {
    constructor(values?: Iterable<Value> | null) {
      super(values)
      watch(this)
    }
  }
  vi.stubGlobal("Map", WatchedMap)
  vi.stubGlobal("Set", WatchedSet)
}

/** How many entries all of them hold, once all garbage is gone. */
async function entriesHeld(): Promise<number> {
  setFlagsFromString("--expose-gc")
  const collectGarbage = runInNewContext("gc") as () => void
  await nextTurn()
  collectGarbage()
  await nextTurn()
  collectGarbage()
  return collected.reduce((sum, held) => sum + (held.deref()?.size ?? 0), 0)
}

/** After these a mailbox was replaced, and each statement and part of the program has been used. */
const BEFORE = 1_050
const FEW = 80
const MANY = 10 * FEW

test("[D-121] after ten times as many messages that were acknowledged, no collection holds more", async () => {
  watchCollections()
  const { fixture, alice, bob } = await couple()
  async function exchange(count: number): Promise<void> {
    for (let n = 0; n < count; n += 20) {
      for (let one = 0; one < 10; one++) {
        await alice.send("bob", "hello")
        await bob.send("alice", "hello")
      }
      await fixture.clock.pass(100)
      fixture.broker.seen.length = 0
    }
    await fixture.clock.pass(60_000)
    expect((await alice.store.load()).outgoing).toEqual([])
    expect((await bob.store.load()).outgoing).toEqual([])
  }
  await exchange(BEFORE)
  await exchange(FEW)
  const few = await entriesHeld()
  await exchange(MANY - FEW)
  // A budget that fills up is forgotten and begun again; an entry for each message would be hundreds.
  expect(Math.abs((await entriesHeld()) - few)).toBeLessThan(MANY / 50)
})
