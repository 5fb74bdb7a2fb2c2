import { join } from "node:path"
import { expect, it, test } from "vitest"
import { ChatView } from "../../src/cli/messages/chat.ts"
import { EngineFixture } from "../engine/engine-fixture.ts"
import { until } from "../until.ts"
import { CliFixture, copyPair, paired } from "./cli-fixture.ts"

const alice = ["--profile", "alice"]
const bob = ["--profile", "bob"]

it("Alice mutes Bob for a time, or until she unmutes him, and what he writes is unread as ever", async () => {
  const cli = new CliFixture()
  await paired(cli)
  expect(await cli.run([...alice, "contacts", "mute", "bob", "--for", "8h"])).toMatchObject({
    code: 0,
    stdout: "",
    stderr: expect.stringMatching(
      /^✓ bob is muted until (\S+ )?\d\d:\d\d; what they write is unread as ever\n$/,
    ) as string,
  })
  expect((await cli.run([...alice, "contacts"])).stdout).toMatch(
    / bob {2}\(muted until (\S+ )?\d\d:\d\d\)\n$/,
  )
  expect(await cli.run([...alice, "contacts", "mute", "BOB"])).toMatchObject({
    code: 0,
    stderr:
      "✓ bob is muted; what they write is unread as ever\nto end it: mqttchat --profile alice contacts unmute bob\n",
  })
  await cli.run([...bob, "send", "alice", "hi"])
  const contacts = async (): Promise<string> => (await cli.run([...alice, "contacts"])).stdout
  // The start screen waits a while for what the broker held, and marks nothing as read.
  for (let tries = 0; tries < 10 && !(await contacts()).includes("unread"); tries++) await cli.run(alice)
  expect(await contacts()).toMatch(/ bob {2}\(1 unread, muted\)\n$/)
  const unmuted = await cli.run([...alice, "--json", "contacts", "unmute", "bob"])
  expect(JSON.parse(unmuted.stdout)).toMatchObject({ contact: "bob", muted: false, unread: 1 })
})

it.each([
  [["contacts", "mute", "carol"], 66, "no contact is called carol"],
  [["contacts", "mute", "bob", "--for", "a while"], 64, "a time from 1s to 366d"],
  [["contacts", "unmute", "carol"], 66, "no contact is called carol"],
])("%j is refused with %i", async (args, code, why) => {
  const cli = new CliFixture()
  await copyPair(join(cli.folder, "home", "alice"), join(cli.folder, "home", "bob"))
  const refused = await cli.run([...alice, ...args])
  expect(refused.code).toBe(code)
  expect(refused.stderr).toContain(why)
})

test("a chat is not interrupted for a muted contact, and is as soon as they are unmuted elsewhere", async () => {
  const fixture = new EngineFixture()
  const [me, friend, noisy] = [
    await fixture.profile("alice"),
    await fixture.profile("bob"),
    await fixture.profile("carol"),
  ]
  await fixture.pair(me, friend)
  await fixture.pair(me, noisy)
  await me.client.call("mute", { contact: "carol", until: null })
  const rows: string[] = []
  const print = (row: string): void => void rows.push(row)
  const view = new ChatView({ client: me.client, contact: "bob", print, advised: (row) => row })
  await view.open()
  await noisy.send("alice", "psst")
  await friend.send("alice", "hello")
  await fixture.clock.pass(100)
  await until(() => rows.some((row) => row.endsWith("bob: hello")))
  expect(rows).not.toContain("info: carol wrote to you")
  await me.client.call("unmute", { contact: "carol" })
  await fixture.clock.pass(1)
  await noisy.send("alice", "psst!")
  await fixture.clock.pass(100)
  await until(() => rows.includes("info: carol wrote to you"))
  await view.close()
})
