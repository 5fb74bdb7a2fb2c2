import { expect, onTestFinished, test } from "vitest"

import { apply, openState, type EngineState } from "../../src/engine/state/engine-state.ts"
import { LazyMap } from "../../src/engine/state/lazy-map.ts"
import { SendOrder, nextDue, type SendGate } from "../../src/engine/messages/send-order.ts"
import { openStore } from "../../src/store/store.ts"
import type { DeviceId } from "../../src/store/ids.ts"
import type { DeviceRecord } from "../../src/store/records.ts"
import { contact, device, freshPath, outgoing } from "../store/store-fixture.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"

const NOW = 1_000
const GATE: SendGate = {
  ...{ now: NOW, inFlight: new Set<number>(), maySendInit: () => true, rests: () => false },
  mayGo: () => true,
}

/** Alice, and two who know her. */
async function three(): Promise<{
  fixture: EngineFixture
  alice: TestProfile
  bob: TestProfile
  mallory: TestProfile
}> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  const mallory = await fixture.profile("mallory")
  await fixture.pair(alice, mallory)
  await fixture.pair(alice, bob)
  await fixture.clock.pass(1_000)
  return { fixture, alice, bob, mallory }
}

test("[D-120] what waits for one contact does not hold up another: they leave in turn, each in its own order", async () => {
  const { fixture, alice, bob, mallory } = await three()
  fixture.broker.close()
  for (let n = 0; n < 100; n++) await alice.send("mallory", `to mallory ${n}`)
  for (let n = 0; n < 3; n++) await alice.send("bob", `to bob ${n}`)
  const before = fixture.broker.seen.length
  fixture.broker.reopen()
  await fixture.clock.pass(1_000)
  const fromAlice = fixture.broker.seen
    .slice(before)
    .filter(({ topic }) => !topic.includes(alice.deviceId))
    .map(({ topic }) => topic.includes(bob.deviceId))
  // One of Mallory's before each of his.
  expect(fromAlice.slice(0, 6).filter((isBobs) => isBobs)).toHaveLength(3)
  expect(await bob.texts("alice")).toEqual(["to bob 0", "to bob 1", "to bob 2"])
  expect(await mallory.texts("alice")).toEqual(Array.from({ length: 100 }, (_, n) => `to mallory ${n}`))
})

/** Counts the entries that are looked at. */
class CountedMap<Key, Value> extends Map<Key, Value> {
  looks = 0
  override get(key: Key): Value | undefined {
    this.looks++
    return super.get(key)
  }
  override values(): MapIterator<Value> {
    this.looks += this.size
    return super.values()
  }
}

class CountedDevices extends LazyMap<DeviceId, DeviceRecord> {
  looks = 0
  override get(id: DeviceId): DeviceRecord | undefined {
    this.looks++
    return super.get(id)
  }
  override *values(): Generator<DeviceRecord> {
    this.looks += this.size
    yield* super.values()
  }
}

async function manyDevices(
  devices: number,
  frames: number,
  published: (seq: number) => boolean,
): Promise<EngineState> {
  const store = await openStore(freshPath(), new Uint8Array(32))
  const state = openState(await store.load())
  onTestFinished(store.close)
  let seq = 1
  for (let id = 1; id <= devices; id++) {
    apply(state, { kind: "contact", contact: contact(id, `contact ${id}`) })
    apply(state, { kind: "device", device: device(id, id) })
    for (let n = 0; n < frames; n++, seq++) {
      const entry = { ...outgoing(seq, id), published: published(seq), dueAt: NOW + 60_000 + seq }
      apply(state, { kind: "outgoing", outgoing: entry })
    }
  }
  return state
}

test("[D-120] a step costs what is sent, however much waits for receipts", async () => {
  const last = 2_000 * 5
  const state = await manyDevices(2_000, 5, (seq) => seq !== last)
  const devices = new CountedDevices({ get: (id) => state.devices.get(id), all: () => state.devices })
  const entries = new CountedMap(state.outgoing)
  const watched = { ...state, devices, outgoing: entries }
  expect(new SendOrder().next(watched, GATE)?.seq).toBe(last)
  expect(nextDue(watched, NOW)).toBe(NOW + 60_001)
  expect(devices.looks + entries.looks).toBeLessThan(10)
})

test("[D-120] a device whose frames never end waits for its turn like the others", async () => {
  const state = await manyDevices(3, 4, () => false)
  const [order, inFlight] = [new SendOrder(), new Set<number>()]
  const taken: (number | undefined)[] = []
  for (let n = 0; n < 8; n++) {
    // New ones come for the first device all the time.
    apply(state, { kind: "outgoing", outgoing: outgoing(100 + n, 1) })
    const entry = order.next(state, { ...GATE, inFlight })
    if (entry !== undefined) inFlight.add(entry.seq)
    taken.push(entry?.device)
  }
  expect(taken).toEqual([1, 2, 3, 1, 2, 3, 1, 2])
})
