import { describe, expect, it } from "vitest"
import {
  isMessage,
  type JsonProcess,
  pairedUsers,
  QUICK_TIMERS,
  ScenarioFixture,
  type User,
} from "./scenario-fixture.ts"

const TEXTS = Array.from({ length: 8 }, (_, index) => `number ${index + 1}`)

async function textsOf(follower: JsonProcess): Promise<unknown[]> {
  for (const text of TEXTS) await follower.waitForOutput(isMessage(text))
  follower.kill("SIGTERM")
  return (await follower.ended()).output.map(({ text }) => text)
}

async function sendAll(alice: User, texts = TEXTS): Promise<void> {
  for (const text of texts) await alice.runJson("send", "bob", text)
}

describe("readers of one profile", () => {
  it("each get every message once, whatever the others mark as read", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    const daemon = bob.start(["daemon"])
    await daemon.prints(/daemon running/)
    const readers = [1, 2, 3].map(() => bob.start(["inbox", "--follow", "--json"]))
    const chat = bob.start(["chat", "alice"])
    await chat.prints(/\/help/)
    // All of them listen once each has shown this.
    await alice.runJson("send", "bob", "ready?")
    for (const reader of readers) await reader.waitForOutput(isMessage("ready?"))
    await sendAll(alice)
    for (const text of TEXTS) await chat.prints(new RegExp(`alice: ${text}\n`))
    for (const reader of readers) expect(await textsOf(reader)).toEqual(["ready?", ...TEXTS])
    chat.endInput()
    const { stdout } = await chat.finished()
    expect(stdout.match(/number \d/g)).toEqual(TEXTS)
  })

  it("get what they missed when another process becomes the owner, also what was read there meanwhile", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    const daemon = bob.start(["daemon"])
    await daemon.prints(/daemon running/)
    const follower = bob.start(["inbox", "--follow", "--json"])
    const chat = bob.start(["chat", "alice"])
    await chat.prints(/\/help/)
    await sendAll(alice, TEXTS.slice(0, 4))
    await follower.waitForOutput(isMessage("number 4"))
    await daemon.stop()
    await sendAll(alice, TEXTS.slice(4))
    for (const text of TEXTS) await chat.prints(new RegExp(`alice: ${text}\n`))
    expect(await textsOf(follower)).toEqual(TEXTS)
  })

  it("see in a chat all that is unread, not only the last twenty, before it counts as read", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    const backlog = Array.from({ length: 25 }, (_, index) => `number ${index + 1}`)
    const sender = alice.start(["chat", "bob", "--plain"])
    for (const text of backlog) sender.type(`${text}\n`)
    sender.endInput()
    await sender.finished()
    const daemon = bob.start(["daemon"])
    await daemon.prints(/daemon running/)
    while ((await bob.runJson("contacts"))[0]?.["unread"] !== backlog.length);
    const chat = await bob.run(["chat", "alice"])
    expect(chat.stdout.match(/number \d+/g)).toEqual(backlog)
    expect(await bob.inbox()).toEqual([])
  })
})

it("`inbox` says that more waits when the broker does not bring it, also through a daemon", async ({
  onTestFinished,
}) => {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  const { alice, bob, broker } = await pairedUsers(fixture)
  const daemon = bob.start(["daemon"], QUICK_TIMERS)
  await daemon.prints(/daemon running/)
  await alice.runJson("send", "bob", "before")
  while ((await bob.runJson("contacts"))[0]?.["unread"] !== 1);
  broker.kill("SIGSTOP")
  const { code, stdout, stderr } = await bob.run(["inbox"])
  expect([code, stdout.slice(6)]).toEqual([75, "alice: before\n"])
  // As soon as it is noticed, the broker that is silent is the reason.
  expect(stderr).toMatch(
    /more messages wait on the broker: (?:it did not bring them in time|the broker at \S+ does not answer)/,
  )
  broker.kill("SIGCONT")
})
