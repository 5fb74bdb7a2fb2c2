import { randomBytes } from "node:crypto"
import { expect, test } from "vitest"

import type { KemSeed, Random } from "../../src/crypto/bytes.ts"
import { kemKeyPair } from "../../src/crypto/mlkem.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { KEM_SEED_BYTES } from "../../src/crypto/sizes.ts"
import { Fault } from "../../src/errors.ts"
import { requestedFrom } from "../../src/engine/handshake/bundles.ts"
import { apply, openState } from "../../src/engine/state/engine-state.ts"
import { LazyMap } from "../../src/engine/state/lazy-map.ts"
import type { OpenBundleRecord } from "../../src/store/records.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { openBundle } from "../store/store-fixture.ts"
import { MESSAGES, someNumbers, utf8 } from "./flood-messages.ts"
import { hostileContact } from "./hostile-contact.ts"

/** What an encapsulation draws (FIPS 203), and the key pair of a new chain. */
const KEM_RANDOM_BYTES = 32
const UNLIMITED = { perHour: 1e9, bytes: 1e12 }
const FLOOD = 160
test("[D-121] a flood of each kind of frame fills no queue, and is answered by few", async () => {
  const { fixture, bob, topic, injects } = await hostileContact(UNLIMITED)
  for (const [kind, message] of Object.entries(MESSAGES)) {
    const before = fixture.broker.seen.length
    for (let n = 0; n < FLOOD; n++) injects(...message(n))
    await fixture.clock.pass(100)
    const answers = fixture.broker.seen.slice(before).filter((seen) => seen.topic !== topic)
    const waiting = (await bob.store.load()).outgoing
    expect([kind, answers.length < FLOOD / 4, waiting.length < 8]).toEqual([kind, true, true])
  }
})

test("[D-121] texts that are asked for without end are sent again 64 at a time, not all that wait", async () => {
  const { fixture, bob, injects } = await hostileContact(UNLIMITED)
  for (let n = 0; n < 320; n++) await bob.send("eve", `text ${n}`)
  await fixture.clock.pass(1_000)
  const before = fixture.broker.seen.length
  for (let n = 0; n < 5; n++) injects({ kind: "again", numbers: someNumbers(n * 64) })
  await fixture.clock.pass(1)
  const again = fixture.broker.seen.slice(before)
  expect(again.length).toBeGreaterThan(32)
  expect(again.length).toBeLessThan(100)
})

test("[D-121] receipts that the broker does not take are not kept without end", async () => {
  const { fixture, bob, injects } = await hostileContact(UNLIMITED)
  fixture.broker.refuses = () => true
  for (let n = 0; n < 75 * 64; n++) injects({ kind: "topic-ok", mailbox: randomBytes(16) })
  await fixture.clock.pass(100)
  const { outgoing, deviceParts } = await bob.store.load()
  expect(outgoing.filter(({ kind }) => kind === "passing")).toHaveLength(64)
  expect([...deviceParts.values()][0]?.pendingReceipts?.mids).toHaveLength(64)
})

test("[D-121] a device to which nothing may be sent costs no new key with every frame", async () => {
  let seeds = 0
  const counted: Random = (bytes) => {
    if (bytes === KEM_SEED_BYTES) seeds++
    return systemRandom(bytes)
  }
  const { fixture, injects } = await hostileContact(UNLIMITED, { random: counted })
  injects({ kind: "moved", at: 1 })
  for (let n = 0; n < 100; n++) injects({ kind: "nop" })
  await fixture.clock.pass(10)
  const before = seeds
  for (let n = 0; n < 20; n++) injects({ kind: "nop" })
  await fixture.clock.pass(10)
  expect(seeds).toBe(before)
})

test("[D-21] of more held texts than are kept half are shown, after one line for all that is missing", async () => {
  const { fixture, bob, injects } = await hostileContact(UNLIMITED)
  for (let n = 0; n <= 1_024; n++) {
    const text: Frame = { kind: "text", id: randomBytes(8), time: 1, text: utf8(`${n}`) }
    injects(text, { kind: "number", number: 2 + 2 * n })
  }
  await fixture.clock.pass(100)
  expect(await bob.systemMessages("eve")).toEqual(["513 messages from eve did not arrive"])
  const shown = await bob.texts("eve")
  expect(shown).toEqual(["hello", ...Array.from({ length: 513 }, (_, n) => `${n}`)])
})

test("[D-121] numbers that are gone and next in order are passed without a row for each", async () => {
  const { fixture, bob, injects } = await hostileContact(UNLIMITED)
  const { store } = bob
  const { commit } = store
  const kinds: string[] = []
  Object.assign(store, {
    commit: (writes: Parameters<typeof commit>[0]) => {
      kinds.push(...writes.map(({ kind }) => kind))
      return commit(writes)
    },
  })
  for (let n = 0; n < 10; n++)
    injects({ kind: "gone", reason: "cancelled", numbers: someNumbers(1 + n * 64) })
  await fixture.clock.pass(10)
  expect(kinds.filter((kind) => kind.startsWith("held"))).toEqual([])
  expect(await bob.systemMessages("eve")).toEqual(Array(10).fill("eve cancelled 64 messages"))
  injects({ kind: "gone", reason: "cancelled", numbers: someNumbers(1_000) })
  await fixture.clock.pass(10)
  expect(kinds.filter((kind) => kind === "held")).toHaveLength(64)
})

function pqKey(id: number): Frame {
  return { kind: "pq-ek", id, encapsulationKey: kemKeyPair(systemRandom(KEM_SEED_BYTES) as KemSeed) }
}

test("[D-124] keys of post-quantum steps without end are answered sixteen times a second", async () => {
  let draws = 0
  const counted: Random = (bytes) => {
    if (bytes === KEM_RANDOM_BYTES) draws++
    return systemRandom(bytes)
  }
  const { fixture, injects } = await hostileContact(UNLIMITED, { random: counted })
  const asks = async (first: number) => {
    const before = draws
    for (let id = first; id < first + 100; id++) injects(pqKey(id))
    // While the clock stands.
    for (let turn = 0; turn < 40; turn++) await fixture.clock.pass(0)
    return draws - before
  }
  // One more for the key pair of the chain in which the answers go.
  expect(await asks(1)).toBeOneOf([16, 17])
  await fixture.clock.pass(1_000)
  expect(await asks(101)).toBeOneOf([16, 17])
})

test("[D-121] a request is looked up, however many bundles are open", async () => {
  const { bob } = await hostileContact()
  const state = openState(await bob.store.load())
  const offer: OpenBundleRecord = { ...openBundle(null), requestTag: randomBytes(16) }
  apply(state, { kind: "open-bundle", bundle: offer })
  const all = () => {
    throw new Fault("bug", "all bundles were read")
  }
  const unread = new LazyMap({ get: (tag: string) => state.bundles.get(tag), all })
  const watched = { ...state, bundles: unread }
  expect(requestedFrom(watched, offer.mailbox, offer.requestTag)).toBe(offer)
  expect(requestedFrom(watched, randomBytes(16), offer.requestTag)).toBeUndefined()
  apply(state, { kind: "close-bundle", tag: offer.tag })
  expect(requestedFrom(watched, offer.mailbox, offer.requestTag)).toBeUndefined()
})
