import { expect, test } from "vitest"
import type { Message } from "../../src/engine/api.ts"
import { tagBlock } from "../../src/session/chain.ts"
import { CHAIN_MAX } from "../../src/session/message.ts"
import { decodeSession, encodeSession } from "../../src/session/snapshot.ts"
import type { OutgoingRecord, Write } from "../../src/store/records.ts"
import type { Store } from "../../src/store/message-store.ts"
import { openStore } from "../../src/store/store.ts"
import { couple, type TestProfile } from "./engine-fixture.ts"
import { snapshotsIn } from "./loaded.ts"

const OUTBOX_MAX = 10_000

/** Writes into the store of a profile that is stopped meanwhile. */
async function rewrite(profile: TestProfile, writes: (store: Store) => Promise<Write[]>): Promise<void> {
  await profile.stop()
  await profile.edit(async (path, key) => {
    const store = await openStore(path, key)
    await store.commit(await writes(store))
    await store.close()
  })
  await profile.start()
}

const FIRST_SEQ = 1_000

/** So many frames wait for the only contact. */
async function fillOutbox(profile: TestProfile, frames: number): Promise<void> {
  const now = profile.fixture.clock.now()
  await rewrite(profile, async (store) => {
    const [device] = (await store.load()).devices
    if (device === undefined) throw new Error("there is no contact")
    return Array.from({ length: frames }, (_, n): Write => {
      const mid = Buffer.alloc(8)
      mid.writeUInt32BE(n)
      return { kind: "outgoing", outgoing: waitingFrame(device.id, { seq: FIRST_SEQ + n, mid }, now) }
    })
  })
}

function waitingFrame(
  device: OutgoingRecord["device"],
  place: Pick<OutgoingRecord, "seq" | "mid">,
  now: number,
): OutgoingRecord {
  return {
    ...place,
    ...{ device, kind: "control", delivered: false, topic: "mc/1/i/a/b", wire: new Uint8Array(1) },
    ...{ carries: undefined, carriesChange: undefined, withdrawnNumber: null },
    ...{ published: true, attempts: 1, daysTried: 1, lastDayTried: 0, dueAt: now, createdAt: now },
  }
}

async function emptyOutbox(profile: TestProfile): Promise<void> {
  await rewrite(profile, () => {
    const done = Array.from({ length: OUTBOX_MAX - 1 }, (_, n): Write => ({
      kind: "outgoing-done",
      seq: FIRST_SEQ + n,
    }))
    return Promise.resolve(done)
  })
}

/** Alice's session with her only contact has sent all that its chain can hold. */
async function fillChain(profile: TestProfile): Promise<void> {
  await rewrite(profile, async (store) => {
    const [found] = await snapshotsIn(store)
    const [device, session] = found === undefined ? [] : [found[0], decodeSession(found[1])]
    if (device === undefined || session?.kind !== "speaking") throw new Error("nothing was sent")
    const tags = tagBlock(session.sending.headerKey, Math.floor((CHAIN_MAX - 1) / 16))
    const sending = { ...session.sending, sent: CHAIN_MAX, tags }
    return [{ kind: "session", device, snapshot: encodeSession({ ...session, sending }) }]
  })
}

async function messages(profile: TestProfile, contact: string): Promise<Message[]> {
  const all = await profile.client.call("history", { contact, limit: 100 })
  return all.filter(({ kind }) => kind === "text")
}

/** Bob's message with Alice's reaction, and one of hers that he has. */
async function said() {
  const { fixture, alice, bob } = await couple()
  const theirs = await bob.send("alice", "shall we?")
  await fixture.clock.pass(100)
  const ours = await alice.send("bob", "let us meet")
  await alice.client.call("react", { contact: "bob", id: theirs, emoji: "👍" })
  await fixture.clock.pass(1_000)
  return { fixture, alice, bob, ours, theirs }
}

/** All that could be refused here is, and changes nothing. */
async function expectRefused(
  alice: TestProfile,
  { ours, theirs }: { ours: string; theirs: string },
): Promise<void> {
  const before = await messages(alice, "bob")
  const refused = { code: "unavailable" }
  const edit = alice.client.call("edit", { contact: "bob", id: ours, text: "later" })
  await expect(edit).rejects.toMatchObject(refused)
  await expect(alice.client.call("react", { contact: "bob", id: theirs, emoji: null })).rejects.toMatchObject(
    refused,
  )
  await expect(alice.send("bob", "one more")).rejects.toMatchObject(refused)
  expect(await messages(alice, "bob")).toEqual(before)
}

test("[D-96] [D-102] the last place of a full queue takes an edit; then all is refused but a deletion, which gets there", async () => {
  const it = await said()
  const { fixture, alice, bob, ours } = it
  fixture.broker.close()
  await fillOutbox(alice, OUTBOX_MAX - 1)
  await alice.client.call("edit", { contact: "bob", id: ours, text: "let us meet at noon" })
  await expectRefused(alice, it)
  await alice.client.call("delete", { contact: "bob", id: ours, forAll: true })
  await emptyOutbox(alice)
  fixture.broker.reopen()
  await fixture.clock.pass(60_000)
  for (const [profile, contact] of [
    [alice, "bob"],
    [bob, "alice"],
  ] as const)
    expect((await messages(profile, contact)).find(({ id }) => id === ours)).toMatchObject({ text: "" })
  expect(await alice.client.call("outbox", {})).toEqual([])
})

test("[D-96] a session that can send nothing more refuses all but a deletion, which waits for the next one", async () => {
  const it = await said()
  const { fixture, alice, bob, ours } = it
  const tamper = fixture.broker.tamper
  fixture.broker.tamper = (topic, payload) => (topic.includes(bob.deviceId) ? [] : [payload])
  await alice.send("bob", "the last one")
  await fixture.clock.pass(100)
  await fillChain(alice)
  await expectRefused(alice, it)
  await alice.client.call("delete", { contact: "bob", id: ours, forAll: true })
  await fixture.clock.pass(1_000)
  const reason = "bob has to answer before more can be sent"
  expect(await alice.client.call("outbox", {})).toMatchObject([
    { kind: "text", text: "the last one" },
    { kind: "delete", id: ours, state: "queued", nextAt: null, reason },
  ])
  fixture.broker.tamper = tamper
  await alice.client.call("reset", { contact: "bob" })
  await fixture.clock.pass(60_000)
  expect((await messages(bob, "alice")).find(({ id }) => id === ours)).toMatchObject({ text: "" })
  expect(await alice.client.call("outbox", {})).toEqual([])
})
