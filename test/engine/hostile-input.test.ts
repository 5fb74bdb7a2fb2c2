import { randomBytes } from "node:crypto"
import { describe, expect, test } from "vitest"

import { createLink } from "../../src/account/create.ts"
import { toHex, type RecoverySecret } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { makeBundle, readBundle } from "../../src/session/bundle.ts"
import { INIT_BYTES, initiate, MODE, recoveryPsk } from "../../src/session/handshake.ts"
import type { IdentityKeys } from "../../src/wire/identity.ts"
import { LINK_REQUEST_BYTES } from "../../src/wire/pairing-link.ts"
import { helloFrames } from "./account-frames.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { hostileContact } from "./hostile-contact.ts"

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
/** A file or a link serves for a week. */
const OFFER_LIFE_MS = 7 * DAY_MS
const someInbox = () => ({ device: randomBytes(16), mailbox: randomBytes(16) })

function bundleOf(identity: IdentityKeys, now: number, change: { recovery?: boolean; lifeMs?: number } = {}) {
  const { recovery = true, lifeMs = DAY_MS } = change
  const notAfter = Math.floor((now + lifeMs) / 1000)
  const terms = { multiUse: false, recovery, inbox: someInbox(), notAfter }
  return makeBundle(identity, terms, systemRandom).bundle.bytes
}

async function dropped(profile: TestProfile): Promise<number> {
  return (await profile.client.call("status", {})).dropped
}

describe("the bundle to recover with [S-5]", () => {
  const mallory = createIdentity(systemRandom)
  test.each([
    ["is taken from its owner", {}, true, "eve"],
    ["of somebody else is not", {}, false, "mallory"],
    ["is not taken for one that is an offer", { recovery: false }, false, "eve"],
    ["is not taken when its time is over", { lifeMs: -2_000 }, false, "eve"],
  ] as const)("%s", async (_what, change, isTaken, owner) => {
    const { fixture, bob, eve, links, sends } = await hostileContact()
    const bundle = bundleOf(owner === "eve" ? eve.identity : mallory, fixture.clock.now(), change)
    await sends({ kind: "recovery-bundle", bundle })
    const kept = async () => (await bob.store.load()).devices.map((device) => toHex(device.recoveryBundle))
    expect((await kept()).includes(toHex(bundle))).toBe(isTaken)
    const second = bundleOf(owner === "eve" ? eve.identity : mallory, fixture.clock.now(), change)
    await sends(...helloFrames("eve", second, { links }))
    // HELLO is the first frame of a session, and counts once.
    expect((await kept()).includes(toHex(second))).toBe(false)
  })
})

test("a recovery never changes who a contact is: Eve cannot hand her place to Mallory [D-31]", async () => {
  const { fixture, bob, eve, about, links, topic } = await hostileContact()
  const now = fixture.clock.now()
  const bundle = readBundle(about.recoveryBundle, now / 1000)
  if (bundle === undefined) throw new Error("Eve has no bundle of Bob's")
  const psk = recoveryPsk(bundle.hash, about.recoverySecret as RecoverySecret)
  const recover = async (identity: IdentityKeys, shown = links): Promise<void> => {
    const frames = helloFrames("eve", bundleOf(identity, now), { links: shown })
    const initiation = { identity, inbox: someInbox(), bundle, psk, mode: MODE.recovery, frames }
    const started = initiate(initiation, systemRandom)
    if (started.kind !== "initiated") throw new Error(started.why)
    fixture.broker.inject(topic, started.init)
    await fixture.clock.pass(100)
  }
  const before = await dropped(bob)
  const mallory = createIdentity(systemRandom)
  await recover(mallory)
  expect(await dropped(bob)).toBe(before + 1)
  await recover(mallory, [createLink(mallory, 1, systemRandom)])
  expect(await dropped(bob)).toBe(before + 2)
  expect((await bob.client.call("contacts", {})).map(({ name }) => name)).toEqual(["eve"])
  expect(await bob.systemMessages("eve")).toEqual([])
  await recover(eve.identity)
  expect(await bob.systemMessages("eve")).toEqual(["the connection with eve was renewed"])
})

/** Bob offers a file, and Carol's answer is under way when the broker stops. */
async function answerUnderWay() {
  const fixture = new EngineFixture()
  const [bob, carol] = [await fixture.profile("bob"), await fixture.profile("carol")]
  fixture.broker.tamper = () => []
  await fixture.pair(bob, carol)
  const init = fixture.broker.seen.find(({ payload }) => payload.length === INIT_BYTES)
  if (init === undefined) throw new Error("Carol answered nothing")
  return { fixture, bob, init }
}

const offers = async ({ store }: TestProfile) =>
  (await store.load()).openBundles.filter(({ device }) => device === null)

describe("an offer", () => {
  test("is answered to its last second, also when the answer was long under way", async () => {
    const { fixture, bob, init } = await answerUnderWay()
    fixture.clock.suspend(OFFER_LIFE_MS - 1_000)
    fixture.broker.inject(init.topic, init.payload)
    await fixture.clock.pass(100)
    expect(await bob.client.call("contacts", {})).toHaveLength(1)
  })

  test("whose time is over lets nobody in, though the process runs on, and its secrets go", async () => {
    const { fixture, bob, init } = await answerUnderWay()
    expect(await offers(bob)).toHaveLength(1)
    fixture.clock.suspend(OFFER_LIFE_MS + 2_000)
    const before = await dropped(bob)
    fixture.broker.inject(init.topic, init.payload)
    await fixture.clock.pass(100)
    expect(await bob.client.call("contacts", {})).toEqual([])
    expect(await dropped(bob)).toBe(before + 1)
    expect(await offers(bob)).toEqual([])
  })

  test("is tried four times a minute: then the true answer has to wait as well", async () => {
    const { fixture, bob, init } = await answerUnderWay()
    const forged = Uint8Array.from(init.payload)
    forged[1_000] = (forged[1_000] ?? 0) ^ 1
    for (let n = 0; n < 4; n++) fixture.broker.inject(init.topic, forged)
    fixture.broker.inject(init.topic, init.payload)
    await fixture.clock.pass(100)
    expect(await bob.client.call("contacts", {})).toEqual([])
    await fixture.clock.pass(MINUTE_MS)
    fixture.broker.inject(init.topic, init.payload)
    await fixture.clock.pass(100)
    expect(await bob.client.call("contacts", {})).toHaveLength(1)
  })
})

/** Bob shows a link, and Carol's request for his bundle is known. */
async function requestForLink() {
  const fixture = new EngineFixture()
  const [bob, carol] = [await fixture.profile("bob"), await fixture.profile("carol")]
  const offer = await bob.client.call("pair-offer", { kind: "link", wordCount: 2 })
  if (offer.kind !== "link") throw new Error("not a link")
  fixture.broker.tamper = () => []
  const answered = carol.client.call("pair-answer", { kind: "link", offer: offer.link })
  answered.catch(() => undefined)
  await fixture.clock.pass(100)
  const request = fixture.broker.seen.find(({ payload }) => payload.length === LINK_REQUEST_BYTES)
  if (request === undefined) throw new Error("Carol asked for nothing")
  const answers = () => fixture.broker.seen.filter(({ topic }) => topic.includes(carol.deviceId)).length
  return { fixture, request, answers }
}

describe("a link", () => {
  test("is answered four times a minute, however often it is asked for", async () => {
    const { fixture, request, answers } = await requestForLink()
    for (let n = 0; n < 50; n++) fixture.broker.inject(request.topic, request.payload)
    await fixture.clock.pass(100)
    expect(answers()).toBe(4)
  })

  test("whose time is over is not answered", async () => {
    const { fixture, request, answers } = await requestForLink()
    fixture.clock.suspend(OFFER_LIFE_MS + 2_000)
    fixture.broker.inject(request.topic, request.payload)
    await fixture.clock.pass(100)
    expect(answers()).toBe(0)
  })
})
