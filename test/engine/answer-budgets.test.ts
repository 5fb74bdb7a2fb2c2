import { expect, test } from "vitest"
import type { RecoverySecret } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { readBundle } from "../../src/session/bundle.ts"
import { INIT_BYTES, initTag, recoveryPsk } from "../../src/session/handshake.ts"
import { LINK_REQUEST_BYTES, parsePairingLink, sealLinkRequest } from "../../src/wire/pairing-link.ts"
import { inboxTopic } from "../../src/wire/topics.ts"
import { namesOf } from "./account-client.ts"
import { EngineFixture, lastMessageTo, type TestProfile } from "./engine-fixture.ts"
import { fileOf } from "./hostile-pairing.ts"
import { linkOf } from "./words-fixture.ts"

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS

/** Not awaited: without an answer it waits for ever. */
function answersLink(profile: TestProfile, offer: string): void {
  void profile.client.call("pair-answer", { kind: "link", offer }).catch(() => undefined)
}

/** The INIT tags that Eve knows after she has renewed her session with Bob a few times: older bundles of his stay open [D-33]. */
async function tagsOf(fixture: EngineFixture, eve: TestProfile): Promise<Uint8Array[]> {
  const tags: Uint8Array[] = []
  for (let n = 0; n < 6; n++) {
    const [about] = (await eve.store.load()).devices
    const { hash } = readBundle(about!.recoveryBundle, Math.floor(fixture.clock.now() / SECOND_MS))!
    tags.push(initTag(recoveryPsk(hash, about!.recoverySecret as RecoverySecret), hash))
    await eve.client.call("reset", { contact: "bob" })
    await fixture.clock.pass(20 * SECOND_MS)
  }
  return tags
}

/** Eve floods Bob with garbage that has tags of hers: 165 frames in three minutes. Alice is a contact of his, too. */
async function floodedBob() {
  const fixture = new EngineFixture()
  const [eve, bob, alice] = [
    await fixture.profile("eve"),
    await fixture.profile("bob"),
    await fixture.profile("alice"),
  ]
  await fixture.pair(bob, alice)
  await fixture.pair(bob, eve)
  const tags = await tagsOf(fixture, eve)
  const { topic } = lastMessageTo(fixture, bob)
  await eve.stop()
  await fixture.clock.pass(MINUTE_MS)
  for (let n = 0; n < 165; n++) {
    const tag = tags[n % tags.length]!
    fixture.broker.inject(topic, Buffer.concat([tag, systemRandom(INIT_BYTES - tag.length)]))
    if (n % 11 === 10) await fixture.clock.pass(12 * SECOND_MS)
  }
  return { fixture, bob, alice }
}

test("[D-150] garbage under an INIT tag of one contact leaves another's INIT, a link and a file answered", async () => {
  const { fixture, bob, alice } = await floodedBob()
  await alice.client.call("reset", { contact: "bob" })
  await fixture.clock.pass(SECOND_MS)
  expect(await alice.client.call("contacts", {})).toMatchObject([{ name: "bob", state: "established" }])
  const [carol, dave] = [await fixture.profile("carol"), await fixture.profile("dave")]
  answersLink(carol, await linkOf(bob))
  await dave.client.call("pair-answer", { kind: "file", offer: await fileOf(bob) })
  await fixture.clock.pass(3 * SECOND_MS)
  expect(await namesOf(bob)).toEqual(expect.arrayContaining(["alice", "carol", "dave"]))
})

test("[D-150] requests for a link, as many as its holder likes, leave the INIT that answers it, and other links", async () => {
  const fixture = new EngineFixture()
  const [bob, carol, dave] = [
    await fixture.profile("bob"),
    await fixture.profile("carol"),
    await fixture.profile("dave"),
  ]
  const [link, other] = [await linkOf(bob), await linkOf(bob)]
  const { bundleHash, inbox } = parsePairingLink(link)!
  const request = (): Uint8Array =>
    sealLinkRequest(bundleHash, { device: systemRandom(16), mailbox: systemRandom(16) }, systemRandom)
  expect(request()).toHaveLength(LINK_REQUEST_BYTES)
  let answered = false
  fixture.broker.tamper = (_topic, payload) => {
    if (!answered && payload.length === INIT_BYTES) {
      answered = true
      for (let n = 0; n < 100; n++) fixture.broker.inject(inboxTopic(inbox), request())
    }
    return [payload]
  }
  answersLink(carol, link)
  await fixture.clock.pass(SECOND_MS)
  expect(await namesOf(bob)).toEqual(["carol"])
  for (let n = 0; n < 100; n++) fixture.broker.inject(inboxTopic(inbox), request())
  answersLink(dave, other)
  await fixture.clock.pass(SECOND_MS)
  expect(await namesOf(bob)).toEqual(["carol", "dave"])
})

test("[D-151] an INIT that was accepted costs nothing when it comes again, so the next one of that contact is answered", async () => {
  const fixture = new EngineFixture()
  const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
  await fixture.pair(bob, alice)
  await alice.client.call("reset", { contact: "bob" })
  await fixture.clock.pass(SECOND_MS)
  const init = fixture.broker.seen.findLast(({ payload }) => payload.length === INIT_BYTES)!
  for (let n = 0; n < 20; n++) fixture.broker.inject(init.topic, init.payload)
  await fixture.clock.pass(100)
  await alice.client.call("reset", { contact: "bob" })
  await fixture.clock.pass(SECOND_MS)
  expect(await alice.client.call("contacts", {})).toMatchObject([{ name: "bob", state: "established" }])
})

test("[D-150] a contact's own INITs are answered four times a minute", async () => {
  const { fixture, bob, alice } = await floodedBob()
  const renewed = async () =>
    (await bob.systemMessages("alice")).filter((line) => line.endsWith("was renewed")).length
  for (let n = 0; n < 10; n++) {
    await alice.client.call("reset", { contact: "bob" })
    await fixture.clock.pass(100)
  }
  expect(await renewed()).toBe(4)
  await fixture.clock.pass(MINUTE_MS)
  expect(await alice.client.call("contacts", {})).toMatchObject([{ name: "bob", state: "established" }])
})
