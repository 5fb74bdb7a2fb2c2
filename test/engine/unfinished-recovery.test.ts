import { expect, test } from "vitest"
import { systemRandom } from "../../src/crypto/random.ts"
import type { Frame } from "../../src/wire/frame.ts"
import {
  answeredWhileAway,
  bobAlone,
  Client,
  devicesOf,
  HOUR_MS,
  isHello,
  linkOf,
  namesOf,
  textFrames,
  twoDevices,
} from "./account-client.ts"
import { chainFrameOf } from "./account-frames.ts"
import type { TestProfile } from "./engine-fixture.ts"

async function hiddenCarol() {
  const { fixture, bob, carol } = await bobAlone()
  const links = twoDevices(carol.identity)
  await carol.answers(bob, carol.shows({ links }))
  const hello = carol.received().find((frame): frame is Extract<Frame, { kind: "hello" }> => isHello(frame))
  if (hello === undefined) throw new Error("no WELCOME")
  return { fixture, bob, carol, links, bundle: hello.recoveryBundle }
}

const shownBy = async (profile: TestProfile) =>
  [...(await profile.store.load()).deviceParts.values()].flatMap(({ shownAccount }) => shownAccount ?? [])

test("frames that fit nothing from somebody who has not shown their account cause no handshake of ours [D-71]", async () => {
  const { fixture, bob, carol } = await hiddenCarol()
  await carol.repeatsNonsense()
  await fixture.clock.pass(HOUR_MS)
  const inits = (await bob.store.load()).outgoing.filter(({ kind }) => kind === "init")
  expect(inits).toEqual([])
  expect(await namesOf(bob)).toEqual([])
})

test("a recovery by somebody who has not shown their account leaves them hidden, and their time goes on [D-71]", async () => {
  const { fixture, bob, carol, links, bundle } = await hiddenCarol()
  const [before] = await shownBy(bob)
  await fixture.clock.pass(20 * HOUR_MS)
  await carol.recovers(bundle, carol.shows({ links }))
  await carol.sends(...textFrames("never seen", 0))
  expect(await namesOf(bob)).toEqual([])
  expect(JSON.stringify(bob.events)).not.toContain("never seen")
  expect(await shownBy(bob)).toMatchObject([{ until: before!.until, tag: before!.tag, at: before!.at }])
  await fixture.clock.pass(5 * HOUR_MS)
  expect(await devicesOf(bob)).toBe(0)
})

test("a device that has not shown its account asks the person nothing, and sets and shows nothing [D-71]", async () => {
  const { bob, carol } = await hiddenCarol()
  await carol.sends({ kind: "intro-ask", account: systemRandom(32), name: Buffer.from("dave") })
  await carol.sends({ kind: "timer", seconds: 5, setAt: 1 })
  await carol.sends({ kind: "typing", typing: true })
  expect(await bob.client.call("introductions", {})).toEqual([])
  expect(bob.events.filter(({ kind }) => kind === "typing")).toEqual([])
  expect((await bob.store.load()).conversations).toMatchObject([{ timer: 0 }])
})

test("links carry no receipts, which could leave after a lock [D-41]", async () => {
  const { fixture, bob, carol } = await bobAlone()
  const [link] = [linkOf(carol.identity)]
  await carol.answers(bob, carol.shows({ links: [link] }))
  carol.received()
  // The receipt for the text waits when the question for the links comes.
  carol.injects(...textFrames("a receipt is owed", 0))
  carol.injects({ kind: "chain-ask", accountId: link.head, first: 0 })
  await fixture.clock.pass(200)
  const kinds = carol.receivedMessages().map((frames) => frames.map(({ kind }) => kind))
  expect(kinds.sort()).toEqual([["ack"], ["chain"]])
})

test("a recovery takes no place among the 16 of another who waits [D-71]", async () => {
  const { fixture, bob, carol, links, bundle } = await hiddenCarol()
  for (let n = 0; n < 15; n++) {
    const client = new Client(fixture)
    await client.answers(bob, client.shows({ links: twoDevices(client.identity) }))
  }
  await carol.recovers(bundle, carol.shows({ links }))
  expect(await devicesOf(bob)).toBe(16)
})

test("an offer is told as answered when a recovery finishes its pairing [D-71]", async () => {
  const { bob, carol, links, bundle } = await hiddenCarol()
  await carol.recovers(bundle, carol.shows({ links }))
  await carol.sends(chainFrameOf(links[0]!.head, links.slice(1)))
  expect(await namesOf(bob)).toEqual(["carol"])
  expect(bob.events.filter(({ kind }) => kind === "paired")).toHaveLength(1)
})

test("a recovery of another account than the one that was shown is refused [D-83]", async () => {
  const { bob, carol, bundle } = await hiddenCarol()
  const before = await shownBy(bob)
  await carol.recovers(bundle, carol.shows({ links: twoDevices(carol.identity) }))
  expect(await shownBy(bob)).toEqual(before)
  expect(await namesOf(bob)).toEqual([])
})

test("our recovery keeps the account that was named, and ends when the first handshake does [D-71] [D-83]", async () => {
  const { fixture, alice, bob } = await answeredWhileAway()
  const [[name], [part]] = [await namesOf(alice), await shownBy(alice)]
  const [device] = (await alice.store.load()).devices
  const named = { ...part!, accountId: systemRandom(32) }
  const recoveryBundle = new Client(fixture, bob.identity).recoveryBundle()
  await alice.store.commit([
    { kind: "device", device: { ...device!, recoveryBundle } },
    { kind: "device-part", device: device!.id, part: "shownAccount", value: named },
  ])
  await alice.stop()
  await alice.start()
  await alice.client.call("reset", { contact: name! })
  expect(await shownBy(alice)).toEqual([named])
})
