import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { FAULT_POINTS, type FaultPoint } from "../../src/engine/state/fault-points.ts"
import { pairedUsers, type User, initHost, startBroker, ScenarioFixture } from "./scenario-fixture.ts"

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
async function dies(who: User, point: FaultPoint, ...args: readonly string[]): Promise<readonly unknown[]> {
  const { signal, stderr, output } = await who.run([...args, "--json"], { env: { MQTTCHAT_DIE_AT: point } })
  expect(signal, `${who.name} never reached ${point}: ${stderr}`).toBe("SIGKILL")
  return output.map(({ text }) => text)
}

/** A person who is not sure looks, and says it again if it is not there. */
async function makeSure(who: User, peer: User, text: string): Promise<void> {
  const output = await who.history(peer)
  if (!output.some((message) => message.text === text)) await who.runJson("send", peer.name, text)
}

/** Both have the same conversation, and each of its messages once. */
async function expectSame(one: User, other: User, texts: readonly string[]): Promise<void> {
  for (const [who, peer] of [
    [one, other],
    [other, one],
  ] as const) {
    expect((await who.history(peer)).map(({ text }) => text)).toEqual(texts)
  }
}

/** What the peer sent before, receipts among it, has come when this has. */
async function expectDelivered(who: User, peer: User): Promise<void> {
  await peer.runJson("send", who.name, "good night")
  expect(await who.receiveTexts("good night")).toEqual(["good night"])
  const output = await who.runJson("history", peer.name)
  expect(output.filter(({ mine, state }) => mine === true && state !== "delivered")).toEqual([])
}

describe.concurrent("a process killed with kill -9", () => {
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
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    const texts: string[] = []
    for (const point of AT_SENDING) {
      const [at, after] = [`killed at ${point}`, `after ${point}`]
      await dies(alice, point, "send", "bob", at)
      await makeSure(alice, bob, at)
      await alice.runJson("send", "bob", after)
      expect(await bob.receiveTexts(at, after), point).toEqual([at, after])
      texts.push(at, after)
    }
    await expectSame(alice, bob, texts)
    await expectDelivered(alice, bob)
  })

  it("while it receives: every message is shown once, in order", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    const texts: string[] = []
    for (const point of AT_RECEIVING) {
      const [at, after] = [`killed at ${point}`, `after ${point}`]
      await alice.runJson("send", "bob", at)
      const shown = await dies(bob, point, "inbox")
      await alice.runJson("send", "bob", after)
      // Who dies between printing a message and noting that it was printed prints it again: better than never.
      const rest = shown.includes(at) ? [after] : [at, after]
      expect([...new Set([...shown, ...(await bob.receiveTexts(...rest))])], point).toEqual([at, after])
      expect(await bob.inbox(), point).toEqual([])
      texts.push(at, after)
    }
    await expectSame(alice, bob, texts)
    await expectDelivered(alice, bob)
  })

  it("while it pairs: the pairing is whole or can be done again", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = fixture.user("alice")
    await initHost(alice)
    await startBroker(alice)
    for (const point of AT_ANSWERING) {
      const guest = fixture.user(`guest-${point}`)
      const answer = await offeredTo(guest, alice)
      await dies(guest, point, ...answer)
      const contacts = await guest.runJson("contacts")
      expect(contacts.length, point).toBe(point === "init-decided" ? 0 : 1)
      if (contacts.length === 0) await guest.runJson(...answer)
      await expectConversation(alice, guest)
    }
    for (const point of AT_BEING_ANSWERED) {
      const guest = fixture.user(`guest-${point}`)
      await guest.runJson(...(await offeredTo(guest, alice)))
      await dies(alice, point, "inbox")
      await expectConversation(alice, guest)
    }
    const names = (await alice.runJson("contacts")).map(({ name }) => name)
    const guests = [...AT_ANSWERING, ...AT_BEING_ANSWERED].map((point) => `guest-${point}`)
    expect(names.toSorted()).toEqual(guests.toSorted())
  })
})

describe.concurrent("a connection that is being made anew", () => {
  it("goes on after kill -9, and nothing is shown twice", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    await alice.runJson("send", "bob", "before")
    for (const point of AT_RECOVERING) await dies(alice, point, "reset", "bob")
    await alice.runJson("send", "bob", "after")
    expect(await bob.receiveTexts("before", "after")).toEqual([
      "before",
      "the connection with alice was made anew",
      "after",
    ])
    await bob.runJson("send", "alice", "and back")
    expect(await alice.receiveTexts("and back")).toContain("and back")
  })
})

/** The command by which the guest answers a file of Alice's. */
async function offeredTo(guest: User, alice: User): Promise<readonly string[]> {
  const file = join(guest.home, "bundle")
  await alice.runJson("pair", "--file", file)
  return ["pair", file, "--my-name", guest.name, "--no-passphrase"]
}

/** Before she has spoken, she is called otherwise. */
async function expectConversation(alice: User, guest: User): Promise<void> {
  const [unnamed] = await guest.runJson("contacts")
  await guest.runJson("send", String(unnamed?.["name"]), "hello")
  expect(await alice.receiveTexts("hello")).toEqual(["hello"])
  await alice.runJson("send", guest.name, "welcome")
  expect(await guest.receiveTexts("welcome")).toEqual(["welcome"])
  expect((await guest.runJson("contacts")).map(({ name }) => name)).toEqual([alice.name])
}
