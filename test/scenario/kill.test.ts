import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { FAULT_POINTS, type FaultPoint } from "../../src/chat/fault-points.ts"
import { neighbours, type Person, settle, startBroker, Story } from "./people.ts"

const AT_SENDING = [
  "send-decided",
  "send-committed",
  "publish-started",
  "publish-acknowledged",
  "publish-recorded",
] as const
const AT_RECEIVING = [
  "receive-arrived",
  "receive-decided",
  "receive-committed",
  "receipt-decided",
  "receipt-committed",
] as const
const AT_ANSWERING = ["init-decided", "init-committed"] as const
const AT_BEING_ANSWERED = ["welcome-decided", "welcome-committed"] as const
const AT_RECOVERING = ["recovery-committed"] as const

/** The command is killed there, or the test fails: the point was never reached. Gives what was printed before. */
async function dies(who: Person, point: FaultPoint, ...args: readonly string[]): Promise<readonly unknown[]> {
  const { signal, stderr, said } = await who.run([...args, "--json"], { env: { MQTTCHAT_DIE_AT: point } })
  expect(signal, `${who.name} never reached ${point}: ${stderr}`).toBe("SIGKILL")
  return said.map(({ text }) => text)
}

/** A person who is not sure looks, and says it again if it is not there. */
async function makeSure(who: Person, peer: Person, text: string): Promise<void> {
  const said = await who.history(peer)
  if (!said.some((message) => message.text === text)) await who.tell("send", peer.name, text)
}

/** Both have the same conversation, and each of its messages once. */
async function expectSame(one: Person, other: Person, texts: readonly string[]): Promise<void> {
  for (const [who, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    expect((await who.history(peer)).map(({ text }) => text)).toEqual(texts)
  }
}

/** What the peer sent before, receipts among it, has come when this has. */
async function expectDelivered(who: Person, peer: Person): Promise<void> {
  await peer.tell("send", who.name, "good night")
  expect(await who.receives("good night")).toEqual(["good night"])
  const said = await who.tell("history", peer.name)
  expect(said.filter(({ mine, state }) => mine === true && state !== "delivered")).toEqual([])
}

/** Some thirty processes a story: a ceiling, no verdict on speed. */
const CEILING = { timeout: 180_000 }

describe.concurrent("a process killed with kill -9", CEILING, () => {
  it("dies at every point that there is in one of these stories", () => {
    const all: readonly FaultPoint[] = [
      ...AT_SENDING,
      ...AT_RECEIVING,
      ...AT_ANSWERING,
      ...AT_BEING_ANSWERED,
      ...AT_RECOVERING,
    ]
    expect(all.toSorted()).toEqual(FAULT_POINTS.toSorted())
  })

  it("while it sends: every message is shown once, in order", async ({ onTestFinished }) => {
    const story = new Story()
    onTestFinished(story.end)
    const { alice, bob } = await neighbours(story)
    const texts: string[] = []
    for (const point of AT_SENDING) {
      const [at, after] = [`killed at ${point}`, `after ${point}`]
      await dies(alice, point, "send", "bob", at)
      await makeSure(alice, bob, at)
      await alice.tell("send", "bob", after)
      expect(await bob.receives(at, after), point).toEqual([at, after])
      texts.push(at, after)
    }
    await expectSame(alice, bob, texts)
    await expectDelivered(alice, bob)
  })

  it("while it receives: every message is shown once, in order", async ({ onTestFinished }) => {
    const story = new Story()
    onTestFinished(story.end)
    const { alice, bob } = await neighbours(story)
    const texts: string[] = []
    for (const point of AT_RECEIVING) {
      const [at, after] = [`killed at ${point}`, `after ${point}`]
      await alice.tell("send", "bob", at)
      const shown = await dies(bob, point, "inbox")
      await alice.tell("send", "bob", after)
      // Who dies between printing a message and noting that it was printed prints it again: better than never.
      const rest = shown.includes(at) ? [after] : [at, after]
      expect([...new Set([...shown, ...(await bob.receives(...rest))])], point).toEqual([at, after])
      expect(await bob.inbox(), point).toEqual([])
      texts.push(at, after)
    }
    await expectSame(alice, bob, texts)
    await expectDelivered(alice, bob)
  })

  it("while it pairs: the pairing is whole or can be done again", async ({ onTestFinished }) => {
    const story = new Story()
    onTestFinished(story.end)
    const alice = story.person("alice")
    await settle(alice)
    await startBroker(alice)
    for (const point of AT_ANSWERING) {
      const guest = story.person(`guest-${point}`)
      const answer = await offeredTo(guest, alice)
      await dies(guest, point, ...answer)
      const contacts = await guest.tell("contacts")
      expect(contacts.length, point).toBe(point === "init-decided" ? 0 : 1)
      if (contacts.length === 0) await guest.tell(...answer)
      await expectTalk(alice, guest)
    }
    for (const point of AT_BEING_ANSWERED) {
      const guest = story.person(`guest-${point}`)
      await guest.tell(...(await offeredTo(guest, alice)))
      await dies(alice, point, "inbox")
      await expectTalk(alice, guest)
    }
    const names = (await alice.tell("contacts")).map(({ name }) => name)
    const guests = [...AT_ANSWERING, ...AT_BEING_ANSWERED].map((point) => `guest-${point}`)
    expect(names.toSorted()).toEqual(guests.toSorted())
  })
})

describe.concurrent("a connection that is being made anew", CEILING, () => {
  it("goes on after kill -9, and nothing is shown twice", async ({ onTestFinished }) => {
    const story = new Story()
    onTestFinished(story.end)
    const { alice, bob } = await neighbours(story)
    await alice.tell("send", "bob", "before")
    for (const point of AT_RECOVERING) await dies(alice, point, "reset", "bob")
    await alice.tell("send", "bob", "after")
    expect(await bob.receives("before", "after")).toEqual([
      "before",
      "the connection with alice was made anew",
      "after",
    ])
    await bob.tell("send", "alice", "and back")
    expect(await alice.receives("and back")).toContain("and back")
  })
})

/** The command by which the guest answers a file of Alice's. */
async function offeredTo(guest: Person, alice: Person): Promise<readonly string[]> {
  const file = join(guest.home, "bundle")
  await alice.tell("pair", "--file", file)
  return ["pair", file, "--my-name", guest.name, "--no-passphrase"]
}

/** Before she has spoken, she is called otherwise. */
async function expectTalk(alice: Person, guest: Person): Promise<void> {
  const [unnamed] = await guest.tell("contacts")
  await guest.tell("send", String(unnamed?.["name"]), "hello")
  expect(await alice.receives("hello")).toEqual(["hello"])
  await alice.tell("send", guest.name, "welcome")
  expect(await guest.receives("welcome")).toEqual(["welcome"])
  expect((await guest.tell("contacts")).map(({ name }) => name)).toEqual([alice.name])
}
