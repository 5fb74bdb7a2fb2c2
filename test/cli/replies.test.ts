import { expect, it, test } from "vitest"
import { until } from "../until.ts"
import { chats, lastId } from "./chat-fixture.ts"
import { CliFixture, paired } from "./cli-fixture.ts"

const alice = ["--profile", "alice"]
const bob = ["--profile", "bob"]

test("in a chat, the last message of theirs is answered without its id, an earlier one by it", async () => {
  const chat = await chats()
  await chat.bob.type("are you coming?\nI bring the cake")
  await chat.alice.shows("bob: are you coming?\n      │ I bring the cake")
  const question = await lastId(chat.pair.bob, "alice")
  await chat.bob.type("hello?")
  await chat.alice.shows("bob: hello?")
  await chat.alice.type("/reply hello\nBob")
  await chat.bob.shows("alice: hello\n      │ Bob\n      > me: hello?")
  await chat.alice.shows("me (queued): hello\n      │ Bob\n      > bob: hello?")
  await chat.alice.type(`/reply ${question.toUpperCase()} yes`)
  await chat.bob.shows("alice: yes\n      > me: are you coming?␊I bring the cake")
  await chat.alice.type("/ids")
  await chat.alice.shows(`${question}  bob: are you coming?\n      │ I bring the cake`)
})

test("what cannot be answered is said, nothing is sent, and the chat goes on", async () => {
  const chat = await chats()
  await chat.alice.type("/reply into the void")
  expect(chat.alice.rows.at(-1)).toBe(
    "info: there is no message of theirs here: /ids, then the command with an ID",
  )
  await chat.alice.type("/reply")
  expect(chat.alice.rows.at(-1)).toBe("info: it is /reply [ID] TEXT")
  await chat.alice.type("/ids")
  expect(chat.alice.rows.at(-1)).toBe("info: there are no messages yet")
  await chat.bob.type("hello")
  await chat.alice.shows("bob: hello")
  await chat.alice.type("/reply 20261130 is a number")
  expect(chat.alice.rows.at(-1)).toBe(
    "info: no message has an id that begins with 20261130: /ids shows them; a text that begins like an id: /reply -- TEXT",
  )
  await chat.alice.type("/reply -- 20261130 is a number")
  await chat.bob.shows("alice: 20261130 is a number\n      > me: hello")
  expect(chat.bob.rows.filter((row) => row.startsWith("alice: "))).toHaveLength(1)
})

test("the text of a message that was deleted here stands in no quote", async () => {
  const { pair, ...chat } = await chats()
  await chat.bob.type("a secret")
  await chat.alice.shows("bob: a secret")
  const [secret] = await pair.alice.client.call("history", { contact: "bob", limit: 1 })
  await chat.alice.type("/reply oh")
  await chat.bob.shows("alice: oh\n      > me: a secret")
  await pair.alice.client.call("delete", { contact: "bob", id: secret?.id ?? "" })
  await chat.alice.type("/ids")
  expect(chat.alice.rows.at(-1)).toMatch(/ oh\n {6}> \(a message that is not here\)$/)
})

it("Alice answers a message of Bob by the beginning of its id", async () => {
  const cli = new CliFixture()
  await paired(cli)
  const sent = await cli.run([...bob, "--json", "send", "alice", "are you coming?"])
  const { id } = JSON.parse(sent.stdout) as { id: string }
  await until(async () => {
    await cli.run([...alice, "inbox"])
    return (await cli.run([...alice, "history", "bob", "--ids"])).stdout.startsWith(id.slice(0, 8))
  })
  const other = id.startsWith("0") ? "1" : "0"
  expect(await cli.run([...alice, "send", "bob", "--reply", other.repeat(16), "yes"])).toMatchObject({
    code: 66,
    stderr: `mqttchat: no message has an id that begins with ${other.repeat(16)}\n  → mqttchat --profile alice history --ids bob\n`,
  })
  expect(await cli.run([...alice, "send", "bob", "--reply", id.slice(0, 8), "yes"])).toMatchObject({
    code: 0,
    stderr: "✓ sent to bob\n",
  })
  await until(async () =>
    (await cli.run([...bob, "inbox"])).stdout.endsWith(" alice: yes\n      > me: are you coming?\n"),
  )
  const json = await cli.run([...bob, "--json", "history", "alice", "--last", "1"])
  expect(JSON.parse(json.stdout)).toMatchObject({
    replyTo: { id, mine: true, text: "are you coming?", changed: false },
  })
  const narrow = await cli.run([...alice, "history", "bob", "--last", "1"])
  expect(narrow.stdout).toMatch(/ me \(\w+\): yes\n {6}> bob: are you coming\?\n$/)
})
