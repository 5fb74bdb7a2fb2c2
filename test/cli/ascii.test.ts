import { expect, it } from "vitest"
import { CliFixture, paired } from "./cli-fixture.ts"
import { Terminal } from "./terminal.ts"

const alice = ["--profile", "alice"]
const bob = ["--profile", "bob"]
const ASCII = /^[\n\x20-\x7e]*$/

it("--ascii and MQTTCHAT_ASCII leave only ASCII of our own, and a terminal wraps what a pipe does not", async () => {
  const cli = new CliFixture()
  await paired(cli)
  const long = `${"many words ".repeat(20)}\nsecond row`
  expect(await cli.run([...bob, "--ascii", "send", "alice", long])).toMatchObject({
    stderr: "ok sent to alice\n",
  })
  cli.more = { MQTTCHAT_ASCII: "1" }
  expect(await cli.run([...bob, "send", "alice", "x".repeat(90)])).toMatchObject({
    stderr: "ok sent to alice\n",
  })
  const outbox = await cli.run([...bob, "outbox"])
  expect(outbox.stdout).toContain(`${"x".repeat(40)}...`)
  cli.more = {}
  while ((await cli.run([...alice, "history", "bob"])).stdout.split(" bob: ").length < 3)
    await cli.run([...alice, "inbox"])
  const pipe = await cli.run([...alice, "--ascii", "history", "bob"])
  expect(pipe.stdout).toMatch(ASCII)
  expect(pipe.stdout).toContain("many words ".repeat(20).trimEnd())
  expect(pipe.stdout).toContain("\n      | second row\n")
  const refused = await cli.run([...alice, "--ascii", "send", "carol", "hi"])
  expect(refused.stderr).toBe(
    "mqttchat: no contact is called carol\n  -> mqttchat --profile alice contacts\n",
  )
  for (const args of [["doctor"], ["status"], [], ["help"], ["pair", "--list"]]) {
    const { stdout, stderr } = await cli.run([...alice, "--ascii", ...args])
    expect(stdout + stderr).toMatch(ASCII)
  }

  const terminal = new Terminal(cli, [...alice, "--ascii", "history", "bob"], {
    command: process.execPath,
    before: [(await import("./cli-fixture.ts")).PROGRAM],
    columns: 50,
  })
  await terminal.ended()
  expect(terminal.text).toMatch(/^\d\d:\d\d bob: (many words )+many$/m)
  expect(terminal.text).toMatch(/^ {6}\| words (many words )+/m)
})
