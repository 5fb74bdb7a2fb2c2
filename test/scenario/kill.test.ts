import { describe, expect, it } from "vitest"
import type { FaultPoint } from "../../src/engine/state/fault-points.ts"
import { crashAt, pairedUsers, type User, ScenarioFixture } from "./scenario-fixture.ts"

/** faults/kill.test.ts tries every point; these affect what a command prints or may repeat. */
const AT_SENDING = ["send-committed", "publish-acknowledged"] as const
const AT_RECEIVING = ["receive-committed", "receipt-decided"] as const

/** The command is killed at that point, or the test fails because it never got there. Gives what it printed before. */
async function dies(who: User, point: FaultPoint, ...args: readonly string[]): Promise<readonly unknown[]> {
  const { signal, stderr, output } = await who.run([...args, "--json"], crashAt(point))
  expect(signal, `${who.name} never reached ${point}: ${stderr}`).toBe("SIGKILL")
  return output.map(({ text }) => text)
}

/** A user who is not sure checks, and sends the text again if it is not there. */
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

/** When this text has arrived, so has everything that the peer sent before it, receipts too. */
async function expectDelivered(who: User, peer: User): Promise<void> {
  await peer.runJson("send", who.name, "good night")
  expect(await who.receiveTexts("good night")).toEqual(["good night"])
  const output = await who.runJson("history", peer.name)
  expect(output.filter(({ mine, state }) => mine === true && state !== "delivered")).toEqual([])
}

describe.concurrent("a process killed with kill -9", () => {
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
      // A process that dies between printing a message and recording that prints it again: better than never.
      const rest = shown.includes(at) ? [after] : [at, after]
      expect([...new Set([...shown, ...(await bob.receiveTexts(...rest))])], point).toEqual([at, after])
      expect(await bob.inbox(), point).toEqual([])
      texts.push(at, after)
    }
    await expectSame(alice, bob, texts)
    await expectDelivered(alice, bob)
  })
})
