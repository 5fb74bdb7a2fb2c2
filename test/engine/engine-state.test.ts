import { rmSync } from "node:fs"
import { dirname } from "node:path"
import * as fc from "fast-check"
import { expect, test } from "vitest"

import { fromHex } from "../../src/crypto/bytes.ts"
import { openCommitQueue } from "../../src/engine/state/commit-queue.ts"
import type { Change } from "../../src/engine/state/decision.ts"
import { openState, type EngineState } from "../../src/engine/state/engine-state.ts"
import type { PriorityIndex } from "../../src/engine/state/priority-index.ts"
import { decodeSession, encodeSession } from "../../src/session/snapshot.ts"
import type { Session } from "../../src/session/state.ts"
import type { DeviceParts, DevicePartWrite, HeldRecord } from "../../src/store/records.ts"
import type { SettingKey } from "../../src/store/setting-key.ts"
import type { IntroductionRecord } from "../../src/store/introduction-record.ts"
import { openStore } from "../../src/store/store.ts"
import {
  conversation,
  direct,
  contact,
  device,
  freshPath,
  message,
  openBundle,
  outgoing,
  plain,
} from "../store/store-fixture.ts"
import { aliceAccount, withDevice } from "../account/account-fixture.ts"
import frozen from "../vectors/session.json" with { type: "json" }
import type { Store } from "../../src/store/message-store.ts"

const RUNS = 12
const CONTACTS = [1, 2, 3]
const session = readSession(frozen.snapshots.alice)

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const count = fc.nat({ max: 9 })
/** Two of each contact. */
const DEVICES = [1, 2, 3, 4, 5, 6]
const contactId = fc.constantFrom(...CONTACTS)
const directId = contactId.map(direct)
const deviceId = fc.constantFrom(...DEVICES)
const mids = (length: number) => fc.array(bytes(length), { maxLength: 3 })

const ACCOUNT = withDevice(aliceAccount(), "phone")
const RIVAL = withDevice(aliceAccount(), "tablet")

/** Every part of DeviceParts: a new one does not compile until it has a line here. */
const PARTS: { [Part in keyof DeviceParts]: fc.Arbitrary<DeviceParts[Part]> } = {
  textNumbers: fc.record({ sent: count, received: count }),
  leftOut: fc.record({
    until: count,
    ahead: count,
    turns: count,
    resealedUntil: count,
    firstKept: count,
    noted: fc.boolean(),
  }),
  pendingReceipts: fc.record({ mids: mids(8) }),
  replayCache: fc.record({ owed: mids(8), passing: mids(8) }),
  withdrawnTexts: fc.array(fc.tuple(bytes(8), bytes(8)), { maxLength: 3 }).map((texts) => ({
    mids: texts.map(([mid]) => mid),
    ids: texts.map(([, id]) => id),
  })),
  supersededSession: fc.record({ since: count, inbox: bytes(32), snapshot: bytes(40) }),
  acceptedInits: fc.record({ mids: mids(8) }),
  ownInits: fc.record({ mids: mids(8) }),
  crossedSession: fc.record({
    snapshot: bytes(40),
    isRecovery: fc.boolean(),
    mailbox: bytes(16),
    peerInbox: bytes(32),
    comparison: bytes(40),
    recoverySecret: bytes(32),
    nextRecoverySecret: bytes(32),
  }),
  recovery: fc.record({
    unmatched: count,
    unmatchedMids: mids(8),
    unmatchedAt: fc.array(fc.nat(), { maxLength: 3 }),
    startedAt: count,
    attempts: count,
    lostInit: fc.option(fc.record({ mid: bytes(8), at: fc.nat() }), { nil: undefined }),
  }),
  resend: fc.record({
    since: count,
    have: fc.option(fc.record({ ids: mids(8) }), { nil: undefined }),
    isExpected: fc.boolean(),
    ...{ spentAt: count, spentTexts: count, spentBytes: count },
  }),
  shownAccount: fc.record({
    accountId: bytes(32),
    length: count,
    head: bytes(32),
    at: count,
    until: count,
    tag: bytes(16),
    offer: fc.string(),
  }),
  mailboxRotation: fc.array(fc.tuple(fc.noBias(bytes(16)), count), { maxLength: 2 }).chain((old) =>
    fc.record({
      next: bytes(16),
      since: count,
      texts: count,
      notBefore: count,
      confirmed: fc.boolean(),
      old: fc.constant(old.map(([mailbox]) => mailbox)),
      oldSince: fc.constant(old.map(([, since]) => since)),
    }),
  ),
  previousInbox: fc.record({ inbox: bytes(32), at: count }),
}

/** Every kind of change, in the same way. */
const CHANGES: { [Kind in Change["kind"]]: fc.Arbitrary<Extract<Change, { kind: Kind }>> } = {
  contact: fc.record({ kind: fc.constant("contact"), contact: contactId.map(aContact) }),
  "forget-contact": fc.record({ kind: fc.constant("forget-contact"), id: contactId }),
  account: fc.record({
    kind: fc.constant("account"),
    contact: contactId,
    ...{ chain: fc.constant(ACCOUNT), rival: fc.constantFrom(undefined, RIVAL) },
  }),
  "own-link": fc.constant({ kind: "own-link", link: ACCOUNT.links[0]! }),
  device: fc.record({ kind: fc.constant("device"), device: deviceId.map(aDevice) }),
  conversation: fc.record({
    kind: fc.constant("conversation"),
    conversation: fc
      .record({ draft: fc.string(), mutedUntil: count, timer: count })
      .chain((set) => contactId.map((id) => ({ ...conversation(id), ...set }))),
  }),
  "move-timers": fc.record({ kind: fc.constant("move-timers"), since: count, by: count }),
  "forget-device": fc.record({ kind: fc.constant("forget-device"), id: deviceId }),
  session: fc.record({ kind: fc.constant("session"), device: deviceId, session: fc.constant(session) }),
  "end-session": fc.record({ kind: fc.constant("end-session"), device: deviceId }),
  message: fc.record({ kind: fc.constant("message"), message: contactId.map((id) => message(id, "hello")) }),
  "message-state": fc.record({
    kind: fc.constant("message-state"),
    conversation: directId,
    contact: contactId,
    id: bytes(8),
    state: fc.constant("read"),
    at: count,
  }),
  recipient: fc.record({
    kind: fc.constant("recipient"),
    conversation: directId,
    contact: contactId,
    id: bytes(8),
    at: count,
  }),
  "received-frame": fc.record({
    kind: fc.constant("received-frame"),
    frame: fc.record({ device: deviceId, mid: bytes(8), at: count }),
  }),
  shown: fc.record({ kind: fc.constant("shown"), conversation: directId, upTo: count, at: count }),
  expire: fc.record({ kind: fc.constant("expire"), at: count }),
  delete: fc.record({
    kind: fc.constant("delete"),
    conversation: directId,
    from: count,
    upTo: count,
    at: count,
  }),
  change: fc.record({
    kind: fc.constant("change"),
    conversation: directId,
    author: fc.option(contactId),
    id: bytes(8),
    digest: bytes(16),
    change: fc.record({ kind: fc.constant("delete" as const), by: contactId, time: count }),
    at: count,
  }),
  held: fc.record({ kind: fc.constant("held"), held: fc.tuple(deviceId, count, fc.boolean()).map(aHeld) }),
  "held-done": fc.record({ kind: fc.constant("held-done"), device: deviceId, number: count }),
  "delete-waiting": fc.record({ kind: fc.constant("delete-waiting"), contact: contactId, at: count }),
  "adopt-history": fc.record({ kind: fc.constant("adopt-history"), from: contactId, to: contactId }),
  outgoing: fc.record({
    kind: fc.constant("outgoing"),
    outgoing: fc.tuple(count, fc.boolean(), count).map(anOutgoing),
  }),
  introduction: fc.record({
    kind: fc.constant("introduction"),
    introduction: fc.tuple(contactId, fc.integer({ min: 1, max: 9 })).map(anIntroduction),
  }),
  "introduction-done": fc.record({ kind: fc.constant("introduction-done"), id: count }),
  "outgoing-done": fc.record({ kind: fc.constant("outgoing-done"), seq: count }),
  "open-bundle": fc.record({
    kind: fc.constant("open-bundle"),
    bundle: fc.tuple(deviceId, count).map(aBundle),
  }),
  "close-bundle": fc.record({ kind: fc.constant("close-bundle"), tag: count.map(tagOf) }),
  "device-part": deviceId.chain(aPartWrite),
  event: fc.record({
    kind: fc.constant("event"),
    event: fc.record({
      number: fc.integer({ min: 1, max: 99 }),
      conversation: directId,
      author: fc.option(contactId),
      id: bytes(8),
      state: fc.constantFrom(null, "read"),
      change: fc.constant(undefined),
    }),
  }),
  setting: fc.record({
    kind: fc.constant("setting"),
    key: fc.constantFrom<SettingKey>("pairing", "replaced"),
    value: bytes(2),
  }),
}

function readSession(hex: string): Session {
  const session = decodeSession(fromHex(hex))
  if (session === undefined) throw new Error("the frozen session cannot be read")
  return session
}

function aContact(id: number) {
  return contact(id, `by ${id}`)
}

/** Each time under another mailbox. */
function aDevice(id: number) {
  return device(id, 1 + (id % CONTACTS.length))
}

function aHeld([device, number, isGone]: readonly [number, number, boolean]): HeldRecord {
  const { id, digest, text, sentAt, timer, replyTo } = message(1, "held")
  const held = isGone ? undefined : { id, digest, text, sentAt, timer, replyTo }
  return { device, number, storedAt: 1, gone: isGone ? "cancelled" : undefined, text: held }
}

/** A number in the outbox is one frame's for ever. */
function anOutgoing([seq, published, dueAt]: readonly [number, boolean, number]) {
  const mid = new Uint8Array(16).fill(seq)
  const wire = outgoing(seq, 1).wire.subarray(0, seq % 3 === 0 ? 0 : 512)
  return {
    ...outgoing(seq, deviceOf(seq)),
    ...{ wire, published, dueAt },
    mid: mid.slice(0, 8),
    carries: { id: mid.slice(8), number: seq },
  }
}

function anIntroduction([contact, id]: readonly [number, number]): IntroductionRecord {
  const own = id % 2 === 0
  return {
    ...{ id, contact, state: "asked", account: tagOf(id), name: "carol", bundle: tagOf(id), since: id },
    role: own ? "introducer" : "owner",
    initiator: own ? 1 + (id % CONTACTS.length) : null,
  }
}

function aBundle([id, number]: readonly [number, number]) {
  return { ...openBundle(number % 2 === 0 ? id : null), tag: tagOf(number) }
}

function aPartWrite(device: number): fc.Arbitrary<DevicePartWrite> {
  const parts = Object.keys(PARTS) as (keyof DeviceParts)[]
  return fc.oneof(
    ...parts.map((part) =>
      PARTS[part].map((value) => ({ kind: "device-part", device, part, value }) as DevicePartWrite),
    ),
  )
}

function tagOf(number: number): Uint8Array {
  return new Uint8Array(16).fill(number)
}

function deviceOf(number: number): number {
  return 1 + (number % DEVICES.length)
}

/**
 * What compares: a session's tags are made again when it is read, and an empty outbox counts from 1 again after a
 * restart.
 */
function comparable(state: EngineState): unknown {
  const of = <Key, Value>(keys: Iterable<Key>, get: (key: Key) => Value) =>
    new Map([...keys].map((key) => [key, get(key)]))
  const { contacts, devices, conversations, deviceParts, bundles, mailboxes } = state
  return plain({
    ...state,
    ...{ contacts: new Map(contacts), devices: new Map(devices), conversations: new Map(conversations) },
    ...{ deviceParts: new Map(deviceParts), bundles: new Map(bundles), mailboxes: new Map(mailboxes) },
    devicesByContact: of(contacts.keys(), (id) => state.devicesByContact.get(id) ?? []),
    directs: of(contacts.keys(), (id) => state.directs.get(id)),
    bundlesByDevice: of(devices.keys(), (id) => [...(state.bundlesByDevice.get(id) ?? [])].sort()),
    sessions: of(devices.keys(), (id) => {
      const session = state.sessions.get(id)
      return session && encodeSession(session)
    }),
    accounts: of(contacts.keys(), (id) => state.accounts.get(id)),
    queues: of(state.queues.keys(), (id) => ({ ...state.queues.get(id), ...orders(state.queues.get(id)) })),
    resting: [...state.resting.ascending()],
    waiting: undefined,
    nextOutgoing: 0,
  })
}

function orders(queue: { unsent: PriorityIndex<number>; resting: PriorityIndex<number> } | undefined) {
  if (queue === undefined) return {}
  const { unsent, resting } = queue
  return { unsent: [...unsent.ascending()], resting: [...resting.ascending()], lowest: resting.lowest }
}

async function expectSameAfterRestart(state: EngineState, store: Store): Promise<void> {
  expect(comparable(state)).toEqual(comparable(openState(await store.load())))
}

test("after any changes, and after a contact is forgotten, memory and a fresh load are equal", async () => {
  const steps = fc.array(fc.array(fc.oneof(...Object.values(CHANGES)), { minLength: 1, maxLength: 4 }), {
    minLength: 20,
    maxLength: 40,
  })
  await fc.assert(
    fc.asyncProperty(steps, contactId, async (decided, forgotten) => {
      const path = freshPath()
      const store = await openStore(path, new Uint8Array(32))
      const queue = await openCommitQueue(store, () => Promise.resolve())
      const run = (commit: readonly Change[]) => queue.run(() => ({ commit, effects: [], result: null }))
      await run(CONTACTS.map((id) => ({ kind: "contact", contact: aContact(id) })))
      await run(CONTACTS.map((id) => ({ kind: "conversation", conversation: conversation(id) })))
      await run(DEVICES.map((id) => ({ kind: "device", device: aDevice(id) })))
      // What names a contact that was forgotten is refused, and changes neither memory nor disk.
      for (const commit of decided) await run(commit).catch(() => undefined)
      await expectSameAfterRestart(queue.state(), store)
      await run([{ kind: "forget-contact", id: forgotten }])
      await expectSameAfterRestart(queue.state(), store)
      await store.close()
      rmSync(dirname(path), { recursive: true })
    }),
    { numRuns: RUNS },
  )
})
