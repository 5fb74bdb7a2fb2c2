import { randomBytes } from "node:crypto"
import { describe, expect, test } from "vitest"
import { chainUpTo, type AccountChain } from "../../src/account/account-chain.ts"
import type { ChainLink } from "../../src/account/chain-link.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import type { IdentityKeys } from "../../src/wire/identity.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { DEVICES_MAX } from "../../src/wire/sizes.ts"
import { addOf, appended, byDevice, removeOf, started } from "../account/account-fixture.ts"
import {
  bobAlone,
  carolWithTwo,
  Client,
  devicesOf,
  linkOf,
  namesOf,
  restart,
  textFrames,
} from "./account-client.ts"
import { chainFrameOf, NONCE, ownLinksOf } from "./account-frames.ts"
import { backUp, restored } from "./backup-fixture.ts"
import { fileOf, HostileOwner } from "./hostile-pairing.ts"
import { wordsAt } from "./words-fixture.ts"
import { linksIn } from "./loaded.ts"

test("a second device of an account is a device of the same contact [D-70]", async () => {
  const { bob, carol, phone } = await carolWithTwo()
  expect(await namesOf(bob)).toEqual(["carol"])
  expect(await devicesOf(bob)).toBe(2)
  carol.received()
  phone.received()
  await bob.send("carol", "to both")
  const isText = ({ kind }: Frame) => kind === "text"
  expect([carol.received().filter(isText).length, phone.received().filter(isText).length]).toEqual([1, 1])
})

test("each link is a line, and the commit that learns of a removal ends the sessions with that device [D-72]", async () => {
  const { bob, carol, phone, two } = await carolWithTwo()
  const three = appended(two, removeOf(two, phone.identity.public.sign, byDevice(carol.identity)))
  await carol.sends(chainFrameOf(two.accountId, three.links.slice(2)))
  expect(await devicesOf(bob)).toBe(1)
  expect(await bob.systemMessages("carol")).toEqual(["carol removed a device"])
  await phone.sends(...textFrames("still here?", 0))
  expect(await bob.texts("carol")).toEqual([])
  await phone.answers(bob, phone.shows({ links: two.links }))
  expect(await devicesOf(bob)).toBe(1)
})

test("a device that is removed cannot hide it by staying silent about it [D-72]", async () => {
  const { bob, carol, phone, two } = await carolWithTwo()
  const three = appended(two, removeOf(two, phone.identity.public.sign, byDevice(carol.identity)))
  // Links are good or not, whoever shows them: the phone itself tells.
  await phone.sends(chainFrameOf(two.accountId, three.links.slice(2)))
  expect(await devicesOf(bob)).toBe(1)
  expect(await namesOf(bob)).toEqual(["carol"])
  expect(await linksIn(bob.store)).toHaveLength(3)
  expect(await bob.systemMessages("carol")).toEqual([
    "carol removed a device",
    "carol was removed from the account; the session with that device has ended",
  ])
  // The links from before its removal bring it back no more.
  await phone.answers(bob, phone.shows({ links: two.links }))
  expect(await devicesOf(bob)).toBe(1)
  await carol.sends(...textFrames("hello", 0))
  expect(await bob.texts("carol")).toEqual(["hello"])
})

test("a removed device whose WELCOME shows its removal ends with it, and the removal counts [D-72]", async () => {
  const { fixture, bob, carol } = await bobAlone()
  const owner = new HostileOwner(fixture)
  const phone = new Client(fixture, owner.identity)
  const one = started(linkOf(carol.identity))
  const two = appended(one, addOf(one, owner.identity, byDevice(carol.identity)))
  for (const device of [carol, phone]) {
    await device.answers(bob, device.shows({ links: two.links }))
    await device.sends(chainFrameOf(two.accountId, two.links.slice(1)))
  }
  expect(await devicesOf(bob)).toBe(2)
  await bob.client.call("pair-answer", { kind: "file", offer: owner.file(await fileOf(bob)) })
  await fixture.clock.pass(100)
  owner.accepts()
  const three = appended(two, removeOf(two, owner.identity.public.sign, byDevice(carol.identity)))
  await owner.sends(...phone.shows({ links: three.links, withHello: three.links.slice(2) }))
  expect(await devicesOf(bob)).toBe(1)
  expect(await linksIn(bob.store)).toHaveLength(3)
})

/** Links that stop before the head that the HELLO names: the rest is asked for, and never comes. */
const withMadeUpHead = (links: readonly ChainLink[], withHello: readonly ChainLink[]) => ({
  links,
  withHello,
  change: { length: links.length + 4, head: new Uint8Array(randomBytes(32)) },
})

test("a removed device that names links which do not exist is removed all the same [D-71] [D-72]", async () => {
  const { bob, carol, phone, two } = await carolWithTwo()
  const three = appended(two, removeOf(two, phone.identity.public.sign, byDevice(carol.identity)))
  await phone.answers(bob, phone.shows(withMadeUpHead(three.links, three.links.slice(2))))
  expect(await devicesOf(bob)).toBe(1)
  expect(await bob.systemMessages("carol")).toEqual([
    "carol removed a device",
    "carol was removed from the account; the session with that device has ended",
  ])
  await carol.sends(chainFrameOf(two.accountId, three.links.slice(2)))
  await bob.send("carol", "for the rest")
  expect(phone.received().filter(({ kind }) => kind === "text")).toEqual([])
  expect(carol.received().filter(({ kind }) => kind === "text")).toHaveLength(1)
  expect(await linksIn(bob.store)).toHaveLength(3)
})

test("a stranger who shows the removal, and links that do not exist, ends it as well [D-72]", async () => {
  const { fixture, bob, carol, phone, two } = await carolWithTwo()
  const three = appended(two, removeOf(two, phone.identity.public.sign, byDevice(carol.identity)))
  const mallory = new Client(fixture)
  await mallory.answers(bob, mallory.shows(withMadeUpHead(three.links, three.links.slice(2))))
  expect(await namesOf(bob)).toEqual(["carol"])
  expect(await bob.systemMessages("carol")).toEqual(["carol removed a device"])
  await bob.send("carol", "for the rest")
  expect(phone.received().filter(({ kind }) => kind === "text")).toEqual([])
})

test("links before a head that does not exist have their line, and a fork among them locks [A-22] [D-72]", async () => {
  const { bob, carol, phone, two } = await carolWithTwo()
  const added = (by: IdentityKeys) =>
    appended(two, addOf(two, createIdentity(systemRandom), byDevice(by))).links
  const [tablet, other] = [added(carol.identity), added(phone.identity)]
  await phone.answers(bob, phone.shows(withMadeUpHead(tablet, tablet.slice(2))))
  const lines = await bob.systemMessages("carol")
  expect(lines.filter((line) => line.startsWith("carol added a device, "))).toHaveLength(1)
  await phone.answers(bob, phone.shows(withMadeUpHead(other, other.slice(2))))
  const [contact] = await bob.client.call("contacts", {})
  expect(contact!.accountLockedAt).not.toBeNull()
  await expect(bob.send("carol", "secret")).rejects.toThrow(/contradict each other/)
})

test("a bad link is dropped and changes nothing [A-20] [D-72]", async () => {
  const { bob, carol, phone, two } = await carolWithTwo()
  const bad = removeOf(two, carol.identity.public.sign, byDevice(createIdentity(systemRandom)))
  const before = await linksIn(bob.store)
  await phone.sends(chainFrameOf(two.accountId, [bad]))
  await phone.sends(chainFrameOf(createIdentity(systemRandom).public.sign, [two.links[1]!]))
  expect(await linksIn(bob.store)).toEqual(before)
  expect(await devicesOf(bob)).toBe(2)
})

test("a fork locks the contact until the words of a fresh handshake are compared [A-22] [A-23] [D-74]", async () => {
  const { fixture, bob, carol, phone, two } = await carolWithTwo()
  const removal = appended(two, removeOf(two, phone.identity.public.sign, byDevice(carol.identity)))
  const stolen = appended(two, removeOf(two, carol.identity.public.sign, byDevice(phone.identity)))
  await phone.sends(chainFrameOf(two.accountId, stolen.links.slice(2)))
  expect(await devicesOf(bob)).toBe(1)
  await phone.sends(chainFrameOf(two.accountId, removal.links.slice(2)))
  const contact = async () => (await bob.client.call("contacts", {}))[0]!
  expect((await contact()).accountLockedAt).not.toBeNull()
  // What was said before goes to no device again [D-133].
  const { deviceParts } = await bob.store.load()
  const lockedAt = (await contact()).accountLockedAt
  expect([...deviceParts.values()].map(({ resend }) => resend?.since)).toEqual([lockedAt])
  await expect(bob.send("carol", "secret")).rejects.toThrow(/contradict each other/)
  await phone.sends(...textFrames("hello", 0))
  const [message] = (await bob.client.call("history", { contact: "carol", limit: 10 })).filter(
    ({ kind }) => kind === "text",
  )
  expect(message).toMatchObject({ text: "hello", trusted: false })
  await expect(bob.client.call("mark-verified", { contact: "carol", verified: true })).rejects.toThrow(
    /older than that/,
  )
  await restart(bob)
  await fixture.clock.pass(100)
  expect((await contact()).accountLockedAt).not.toBeNull()
  await carol.answers(bob, carol.shows({ links: removal.links }))
  const ask = carol.received().find(({ kind }) => kind === "chain-ask")
  if (ask !== undefined) await carol.sends(chainFrameOf(two.accountId, removal.links.slice(1)))
  const marked = () => bob.client.call("mark-verified", { contact: "carol", verified: true })
  // There are no words before the commitment is opened.
  await expect(marked()).rejects.toThrow(/older than that/)
  await carol.sends({ kind: "open", nonce: NONCE })
  // One who does not say which words they saw settles nothing.
  await expect(marked()).rejects.toMatchObject({
    code: "refused",
    message: expect.stringContaining("are not named") as string,
    hint: "compare the words: mqttchat verify carol",
  })
  expect((await contact()).accountLockedAt).not.toBeNull()
  const words = await wordsAt(bob, "carol")
  await bob.client.call("mark-verified", { contact: "carol", verified: true, words })
  expect((await contact()).accountLockedAt).toBeNull()
  expect(
    (await bob.store.load()).devices.map(({ key }) =>
      Buffer.from(key.subarray(0, 32)).equals(carol.identity.public.sign),
    ),
  ).toEqual([true])
  await bob.send("carol", "welcome back")
  // What was settled stays so: the thief cannot lock the account again with the same links.
  await carol.sends(chainFrameOf(two.accountId, stolen.links.slice(2)))
  expect((await contact()).accountLockedAt).toBeNull()
})

test("a device that was removed before a comparison cannot lock the account after it [A-24]", async () => {
  const { bob, carol, phone, two } = await carolWithTwo()
  const removal = appended(two, removeOf(two, phone.identity.public.sign, byDevice(carol.identity)))
  const stolen = appended(two, removeOf(two, carol.identity.public.sign, byDevice(phone.identity)))
  await carol.sends(chainFrameOf(two.accountId, removal.links.slice(2)))
  await carol.answers(bob, carol.shows({ links: removal.links }))
  await carol.sends({ kind: "open", nonce: NONCE })
  await bob.client.call("mark-verified", { contact: "carol", verified: true })
  await restart(bob)
  await carol.sends(chainFrameOf(two.accountId, stolen.links.slice(2)))
  const [contact] = await bob.client.call("contacts", {})
  expect(contact).toMatchObject({ accountLockedAt: null, verified: true })
})

test("the words that are shown are those of the handshake that settles, and no other that came meanwhile [D-74]", async () => {
  const { bob, carol, phone, two } = await carolWithTwo()
  const kept = appended(two, addOf(two, createIdentity(systemRandom), byDevice(phone.identity)))
  const stolen = appended(two, addOf(two, createIdentity(systemRandom), byDevice(carol.identity)))
  for (const { links } of [kept, stolen]) await phone.sends(chainFrameOf(two.accountId, links.slice(2)))
  const lockedAt = async () => (await bob.client.call("contacts", {}))[0]!.accountLockedAt
  expect(await lockedAt()).not.toBeNull()
  await phone.answers(bob, phone.shows({ links: kept.links }))
  await phone.sends({ kind: "open", nonce: NONCE })
  const seen = await wordsAt(bob, "carol")
  // The thief has the device that was met first.
  await carol.answers(bob, carol.shows({ links: stolen.links }))
  await carol.sends({ kind: "open", nonce: NONCE })
  expect(await wordsAt(bob, "carol")).not.toEqual(seen)
  const marks = (words: string[]) =>
    bob.client.call("mark-verified", { contact: "carol", verified: true, words })
  await expect(marks(seen)).rejects.toMatchObject({
    code: "refused",
    hint: "compare them again: mqttchat verify carol",
  })
  await expect(marks([])).rejects.toMatchObject({ code: "refused" })
  expect(await lockedAt()).not.toBeNull()
  await phone.answers(bob, phone.shows({ links: kept.links }))
  await phone.sends({ kind: "open", nonce: NONCE })
  await marks(await wordsAt(bob, "carol"))
  expect(await lockedAt()).toBeNull()
  expect((await linksIn(bob.store)).map(({ link }) => link)).toEqual(kept.links.map(({ bytes }) => bytes))
})

test("a peer that asks without end fills no queue [D-73]", async () => {
  const { bob, carol } = await carolWithTwo()
  bob.fixture.broker.refuses = () => true
  const [own] = await ownLinksOf(bob)
  for (let asked = 0; asked < 20; asked += 1)
    await carol.sends({ kind: "chain-ask", accountId: own!.head, first: 0 })
  const waiting = (await bob.store.load()).outgoing.filter(({ kind }) => kind === "chain")
  expect(waiting.length).toBeLessThanOrEqual(2)
  await carol.sends({ kind: "chain-ask", accountId: own!.head, first: 1 })
  await carol.sends({ kind: "chain-ask", accountId: randomBytes(32), first: 0 })
})

test("a ninth device, on the other side of a fork, leaves a backup that can be read [A-10] [B-3]", async () => {
  const { fixture, bob, carol } = await bobAlone()
  const added = (chain: AccountChain, device: IdentityKeys) =>
    appended(chain, addOf(chain, device, byDevice(carol.identity)))
  const others = Array.from({ length: DEVICES_MAX - 1 }, () => new Client(fixture))
  const eight = others.reduce(
    (chain, { identity }) => added(chain, identity),
    started(linkOf(carol.identity)),
  )
  await carol.answers(bob, carol.shows(eight))
  carol.received()
  await carol.sends(chainFrameOf(eight.accountId, eight.links.slice(1)))
  for (const other of others) await other.answers(bob, other.shows(eight))
  const ninth = new Client(fixture)
  const rival = added(chainUpTo(eight, DEVICES_MAX - 1), ninth.identity)
  await ninth.answers(bob, ninth.shows({ links: rival.links, withHello: rival.links.slice(-1) }))
  expect(await devicesOf(bob)).toBe(DEVICES_MAX + 1)
  const laptop = await restored(fixture, "laptop", await backUp(bob))
  expect(await namesOf(laptop)).toEqual(["carol"])
  expect(await devicesOf(laptop)).toBe(DEVICES_MAX + 1)
})

describe("a device that is removed while it has not got what it was sent", () => {
  const LOST = "a message to carol was NOT DELIVERED: the device that it was for was removed"

  test.each(["the other device", "the device itself"])(
    "leaves nothing under way, if %s shows it: texts are given up, and what was held back is shown [D-105]",
    async (who) => {
      const { fixture, bob, carol } = await bobAlone()
      const phone = new Client(fixture)
      const chain = started(linkOf(carol.identity))
      const two = appended(chain, addOf(chain, phone.identity, byDevice(carol.identity)))
      const removal = appended(two, removeOf(two, carol.identity.public.sign, byDevice(phone.identity)))
      await carol.answers(bob, carol.shows({ links: two.links }))
      carol.received()
      await carol.sends(chainFrameOf(two.accountId, two.links.slice(1)))
      await bob.send("carol", "for the laptop")
      await carol.sends(...textFrames("the second", 1))
      expect(await bob.texts("carol")).toEqual([])
      if (who === "the device itself") await carol.sends(chainFrameOf(two.accountId, removal.links.slice(2)))
      else await phone.answers(bob, phone.shows({ links: removal.links, withHello: removal.links.slice(2) }))
      expect(await bob.states("carol")).toEqual(["given-up"])
      expect(await bob.texts("carol")).toEqual(["the second"])
      const lines = await bob.systemMessages("carol")
      expect(lines).toContain(LOST)
      expect(lines).toContain("1 message from carol did not arrive")
      expect(await bob.client.call("outbox", {})).toEqual([])
    },
  )

  test("and was the only one is named as the reason, where nothing can be sent any more", async () => {
    const { fixture, bob, carol } = await bobAlone()
    const chain = started(linkOf(carol.identity))
    const two = appended(chain, addOf(chain, new Client(fixture).identity, byDevice(carol.identity)))
    const removal = appended(two, removeOf(two, carol.identity.public.sign, byDevice(carol.identity)))
    await carol.answers(bob, carol.shows({ links: two.links }))
    await carol.sends(chainFrameOf(two.accountId, two.links.slice(1)))
    await carol.sends(...textFrames("I have a new laptop", 0))
    await carol.sends(chainFrameOf(two.accountId, removal.links.slice(2)))
    const fault = {
      code: "refused",
      message: expect.stringContaining("you have paired with no other") as string,
    }
    const contact = "carol"
    await expect(bob.send(contact, "and now?")).rejects.toMatchObject(fault)
    await expect(bob.client.call("timer", { contact, timerSeconds: 60 })).rejects.toMatchObject(fault)
    await expect(bob.client.call("reset", { contact })).rejects.toMatchObject(fault)
  })

  test("changes nothing of what another device may still get [D-105]", async () => {
    const { bob, carol, phone, two } = await carolWithTwo()
    const id = await bob.send("carol", "to both")
    await bob.client.call("edit", { contact: "carol", id, text: "to both of you" })
    const three = appended(two, removeOf(two, phone.identity.public.sign, byDevice(carol.identity)))
    await carol.sends(chainFrameOf(two.accountId, three.links.slice(2)))
    expect(await bob.states("carol")).toEqual(["broker"])
    expect(await bob.systemMessages("carol")).toEqual(["carol removed a device"])
  })
})
