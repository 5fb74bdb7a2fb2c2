import { expect, test } from "vitest"
import type { ChainLink } from "../../src/account/chain-link.ts"
import { equal } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import type { IdentityKeys } from "../../src/wire/identity.ts"
import {
  answeredWhileAway,
  bobAlone,
  Client,
  DAY_MS,
  devicesOf,
  HOUR_MS,
  isHello,
  linkOf,
  namesOf,
  noticesOf,
  restart,
  textFrames,
  twoDevices,
} from "./account-client.ts"
import { chainFrameOf, helloFrames, ownLinksOf } from "./account-frames.ts"
import { couple, type TestProfile } from "./engine-fixture.ts"
import { fileOf, HostileOwner } from "./hostile-pairing.ts"

test("who pairs knows the other's account, and both compute one safety number [W-15] [W-16] [D-70]", async () => {
  const { alice, bob } = await couple()
  const [ofAlice] = await ownLinksOf(alice)
  const [contact] = (await bob.store.load()).contacts
  expect(equal(contact!.accountId!, ofAlice!.head)).toBe(true)
  const compare = async (profile: TestProfile, name: string) =>
    (await profile.client.call("verify", { contact: name })).safetyNumber
  expect(await compare(alice, "bob")).toEqual(await compare(bob, "alice"))
  expect(await compare(alice, "bob")).toHaveLength(12)
})

test("an account lasts: a restart does not begin another one [A-3]", async () => {
  const { fixture, bob } = await bobAlone()
  const before = await ownLinksOf(bob)
  expect(before).toHaveLength(1)
  await restart(bob)
  await fixture.clock.pass(100)
  expect(await ownLinksOf(bob)).toEqual(before)
})

test("the first message has room for the longest name and the first link [W-56]", async () => {
  const { bob, carol } = await bobAlone()
  const links = [linkOf(carol.identity)]
  const long = helloFrames("ö".repeat(32), carol.recoveryBundle(), { links })
  await carol.answers(bob, long)
  expect(await namesOf(bob)).toHaveLength(1)
  expect(carol.received().map(({ kind }) => kind)).toEqual(["hello", "chain"])
})

test("somebody who shows a friend's signing key with an encryption key of their own is refused [A-12] [D-70]", async () => {
  const { fixture, bob } = await bobAlone()
  const alice = createIdentity(systemRandom)
  const links = [linkOf(alice)]
  const mallory = createIdentity(systemRandom)
  // The handshake proves the X25519 half only: this one opens.
  const mixed: IdentityKeys = { ...mallory, public: { sign: alice.public.sign, box: mallory.public.box } }
  const client = new Client(fixture, mixed)
  await client.answers(bob, client.shows({ links }))
  expect(await namesOf(bob)).toEqual([])
  expect(await devicesOf(bob)).toBe(0)
  expect(client.received()).toEqual([])
  expect(noticesOf(bob)).toEqual([
    "carol answered an offer and used a device that does not belong to the account which it names; nothing of it was kept",
  ])
  const real = new Client(fixture, alice)
  await real.answers(bob, real.shows({ links }))
  expect(await namesOf(bob)).toEqual(["carol"])
})

test("a recovery bundle of another device is refused, by either half [W-21] [D-70]", async () => {
  const { bob, carol } = await bobAlone()
  const other = createIdentity(systemRandom)
  const links = [linkOf(carol.identity)]
  const half = { ...carol.identity, public: { ...carol.identity.public, box: other.public.box } }
  for (const owner of [other, half]) {
    await carol.answers(bob, carol.shows({ links }, carol.recoveryBundle(owner)))
    expect(await namesOf(bob)).toEqual([])
  }
  await carol.answers(bob, carol.shows({ links }))
  expect(await namesOf(bob)).toEqual(["carol"])
})

test("a device that is known of one account is refused for another [D-70]", async () => {
  const { bob, carol } = await bobAlone()
  await carol.answers(bob, carol.shows({ links: [linkOf(carol.identity)] }))
  expect(await namesOf(bob)).toEqual(["carol"])
  const before = (await bob.store.load()).contacts
  await carol.answers(bob, carol.shows({ links: [linkOf(carol.identity)] }))
  expect((await bob.store.load()).contacts).toEqual(before)
  expect(noticesOf(bob).at(-1)).toContain("used a device that is known of another account")
})

test.each([
  [
    "a chain of another account beside the HELLO",
    (links: readonly ChainLink[]) => ({ links, withHello: [linkOf(createIdentity(systemRandom))] }),
  ],
  [
    "a head that the chain does not have",
    (links: readonly ChainLink[]) => ({ links, change: { head: new Uint8Array(32) } }),
  ],
  [
    "a chain that is shorter than it says",
    (links: readonly ChainLink[]) => ({ links, change: { length: 0xffff, head: new Uint8Array(32) } }),
  ],
] as const)("%s: nothing of it is kept [D-70] [D-71]", async (_what, shown) => {
  const { fixture, bob, carol } = await bobAlone()
  const links = [linkOf(carol.identity)]
  await carol.answers(bob, carol.shows(shown(links)))
  expect(await namesOf(bob)).toEqual([])
  await fixture.clock.pass(DAY_MS + 2 * HOUR_MS)
  expect(await devicesOf(bob)).toBe(0)
  expect((await bob.store.load()).contacts).toEqual([])
  expect(noticesOf(bob)).toHaveLength(1)
})

test("links that are missing are asked for, and what came meanwhile is shown then [W-57] [D-71]", async () => {
  const { bob, carol } = await bobAlone()
  const links = twoDevices(carol.identity)
  await carol.answers(bob, carol.shows({ links }))
  const welcome = carol.received()
  expect(welcome.filter(isHello)).toHaveLength(1)
  const ask = welcome.find(({ kind }) => kind === "chain-ask")
  expect(ask).toEqual({ kind: "chain-ask", accountId: links[0]!.head, first: 1 })
  await carol.sends(...textFrames("one", 0))
  await carol.sends(...textFrames("two", 1))
  expect(await namesOf(bob)).toEqual([])
  expect(await bob.client.call("conversations", {})).toEqual([])
  expect(bob.events.filter(({ kind }) => kind === "message")).toEqual([])
  await carol.sends(chainFrameOf(links[0]!.head, links.slice(1)))
  expect(await namesOf(bob)).toEqual(["carol"])
  expect(await bob.texts("carol")).toEqual(["one", "two"])
  expect(bob.events.filter(({ kind }) => kind === "paired")).toHaveLength(1)
})

test("a process that dies while links are missing goes on with them [D-71]", async () => {
  const { fixture, bob, carol } = await bobAlone()
  const links = twoDevices(carol.identity)
  await carol.answers(bob, carol.shows({ links }))
  carol.received()
  await carol.sends(...textFrames("one", 0))
  await bob.crash()
  await bob.start()
  await fixture.clock.pass(200)
  expect(await namesOf(bob)).toEqual([])
  await carol.sends(chainFrameOf(links[0]!.head, links.slice(1)))
  expect(await namesOf(bob)).toEqual(["carol"])
  expect(await bob.texts("carol")).toEqual(["one"])
})

test.each([
  [
    "a forged link",
    (links: readonly ChainLink[]) => [
      { ...links[1]!, bytes: links[1]!.bytes.with(-1, links[1]!.bytes.at(-1)! ^ 1) },
    ],
  ],
  ["the first link again", (links: readonly ChainLink[]) => [links[0]!]],
])("the wrong links end the handshake: %s [D-71]", async (_what, shown) => {
  const { bob, carol } = await bobAlone()
  const links = twoDevices(carol.identity)
  await carol.answers(bob, carol.shows({ links }))
  carol.received()
  await carol.sends(...textFrames("never seen", 0))
  await carol.sends(chainFrameOf(links[0]!.head, shown(links)))
  expect(await devicesOf(bob)).toBe(0)
  expect((await bob.store.load()).contacts).toEqual([])
  expect((await bob.store.load()).held).toEqual([])
  expect(noticesOf(bob)).toEqual(["carol showed an account whose links do not hold; nothing of it was kept"])
})

test("who shows no links within a day is gone, and so is what came; at most 16 wait [D-71]", async () => {
  const { fixture, bob } = await bobAlone()
  const clients = Array.from({ length: 17 }, () => new Client(fixture))
  for (const client of clients) {
    await client.answers(bob, client.shows({ links: twoDevices(client.identity) }))
    await fixture.clock.pass(60_000)
  }
  expect(await devicesOf(bob)).toBe(16)
  expect(await namesOf(bob)).toEqual([])
  await restart(bob)
  await fixture.clock.pass(DAY_MS - HOUR_MS)
  expect(await devicesOf(bob)).toBe(16)
  await fixture.clock.pass(3 * HOUR_MS)
  expect(await devicesOf(bob)).toBe(0)
  expect((await bob.store.load()).contacts).toEqual([])
})

test("an INIT that no one answers ends a day after its bundle, and our texts with it [D-71]", async () => {
  const { fixture, alice } = await answeredWhileAway()
  const [name] = await namesOf(alice)
  await alice.send(name!, "are you there?")
  expect(
    (await alice.store.load()).outgoing.filter(({ kind, wire }) => kind === "text" && wire.length > 0),
  ).toEqual([])
  await fixture.clock.pass(7 * DAY_MS)
  expect(await namesOf(alice)).toEqual([name])
  await fixture.clock.pass(DAY_MS + 2 * HOUR_MS)
  expect(await namesOf(alice)).toEqual([])
  expect(noticesOf(alice)).toEqual([`${name!} did not finish the pairing in time; nothing of it was kept`])
})

test("[D-71] an INIT to a file that is good for ever, as it says, ends after eight days", async () => {
  const { fixture, bob } = await bobAlone()
  const file = new HostileOwner(fixture, Number.MAX_SAFE_INTEGER).file(await fileOf(bob))
  await bob.client.call("pair-answer", { kind: "file", offer: file })
  await fixture.clock.pass(8 * DAY_MS - HOUR_MS)
  expect(await namesOf(bob)).toHaveLength(1)
  await fixture.clock.pass(HOUR_MS)
  expect(await namesOf(bob)).toEqual([])
})

test("texts to somebody who has not answered wait unsealed, and leave with the answer [D-71]", async () => {
  const { fixture, alice, bob } = await answeredWhileAway()
  const [name] = await namesOf(alice)
  await alice.send(name!, "one")
  await alice.send(name!, "two")
  await bob.start()
  await fixture.clock.pass(60_000)
  expect(await bob.texts("alice")).toEqual(["one", "two"])
})

test("a change waits, and no READ is sent, while a friend has not answered a new pairing [D-71]", async () => {
  const { fixture, alice, bob } = await couple()
  const id = await bob.send("alice", "one")
  await fixture.clock.pass(1_000)
  await alice.client.call("privacy", {
    ...{ contact: "bob", readReceipts: true, typingIndicators: true, receiptDelayMs: 0 },
  })
  const offer = await bob.client.call("pair-offer", { kind: "file", wordCount: 2 })
  if (offer.kind !== "file") throw new Error("not a file")
  await bob.stop()
  await alice.client.call("pair-answer", { kind: "file", offer: offer.file })
  await alice.client.call("react", { contact: "bob", id, emoji: "👍" })
  await alice.client.call("inbox", { markRead: true })
  await restart(alice)
  await fixture.clock.pass(200)
  const controls = (await alice.store.load()).outgoing.filter(({ kind }) => kind === "control")
  expect(controls.map(({ carriesChange, wire }) => [carriesChange?.kind, wire.length])).toEqual([
    ["reaction", 0],
  ])
  await bob.start()
  await fixture.clock.pass(60_000)
  const [message] = await bob.client.call("history", { contact: "alice", limit: 1 })
  expect(message).toMatchObject({ id, state: "delivered", reactions: [{ emoji: "👍" }] })
})

test("a new device of a contact who was blocked meanwhile is refused, with what it sent [D-70]", async () => {
  const { fixture, bob, carol } = await bobAlone()
  const phone = createIdentity(systemRandom)
  const links = twoDevices(carol.identity, phone)
  await carol.answers(bob, carol.shows({ links: links.slice(0, 1) }))
  const second = new Client(fixture, phone)
  await second.answers(
    bob,
    second.shows({ links, withHello: links.slice(0, 1), change: { name: Buffer.from("phone") } }),
  )
  second.received()
  await second.sends(...textFrames("never seen", 0))
  await bob.client.call("block", { contact: "carol", blocked: true })
  await second.sends(chainFrameOf(links[0]!.head, links.slice(1)))
  expect(await devicesOf(bob)).toBe(1)
  expect(await bob.texts("carol")).toEqual([])
  expect((await bob.store.load()).held).toEqual([])
  expect(noticesOf(bob)).toEqual(["phone used a device of a contact who is blocked; nothing of it was kept"])
})

test("no gap timer shows a text of somebody whose account is not verified, and no second number [D-71]", async () => {
  const { fixture, bob, carol } = await bobAlone()
  const links = twoDevices(carol.identity)
  await carol.answers(bob, carol.shows({ links }))
  carol.received()
  await carol.sends(...textFrames("one", 0))
  await carol.sends(...textFrames("another first one", 0))
  await carol.sends(...textFrames("three", 2))
  const seen = () => bob.events.filter(({ kind }) => kind === "message")
  await fixture.clock.pass(120_000)
  await restart(bob)
  await fixture.clock.pass(120_000)
  expect(seen()).toEqual([])
  expect(carol.received().filter(({ kind }) => kind === "again")).toEqual([])
  expect((await bob.store.load()).held).toHaveLength(2)
  await carol.sends(chainFrameOf(links[0]!.head, links.slice(1)))
  expect(await bob.texts("carol")).toEqual(["one"])
})

test("a second INIT drops what an unverified session sent [D-71]", async () => {
  const { bob, carol } = await bobAlone()
  const links = twoDevices(carol.identity)
  await carol.answers(bob, carol.shows({ links }))
  await carol.sends(...textFrames("one", 0))
  await carol.answers(bob, carol.shows({ links }))
  carol.received()
  expect((await bob.store.load()).held).toEqual([])
  await carol.sends(chainFrameOf(links[0]!.head, links.slice(1)))
  expect(await bob.texts("carol")).toEqual([])
})

test("a backup holds nothing of a stranger whose account is not verified [D-71]", async () => {
  const { bob, carol } = await bobAlone()
  await carol.answers(bob, carol.shows({ links: twoDevices(carol.identity) }))
  await carol.sends(...textFrames("one", 0))
  const counts = await bob.client.call("export", {
    path: `${bob.path}.backup`,
    passphrase: "a long passphrase",
  })
  expect(counts).toEqual({ contacts: 0, messages: 0 })
})
