import { expect, test } from "vitest"
import { CliFixture, INIT } from "./cli-fixture.ts"
import { ENTER, Terminal } from "./terminal.ts"

/** Alice's broker, its address and its pin. */
async function runningBroker(cli: CliFixture): Promise<{ address: string; pin: string }> {
  expect((await cli.run(INIT)).code).toBe(0)
  const broker = cli.start(["--profile", "alice", "broker", "--loopback", "--port", "0", "--json"])
  const [, port = "", pin = ""] = await broker.prints(/"port":(\d+).*"pin":"([0-9a-f]{32})"/)
  return { address: `127.0.0.1:${port}`, pin }
}

test("Bob is shown the pin of a key that his laptop does not know, and decides", async () => {
  const cli = new CliFixture()
  const { address, pin } = await runningBroker(cli)
  const command = ["--profile", "bob", "init", "--name", "bob", "--no-passphrase", "--broker", address]
  const unsure = new Terminal(cli, command)
  await unsure.shows(new RegExp(pin))
  await unsure.shows(/Is it the pin that they gave you\?/)
  unsure.type(ENTER)
  expect((await unsure.ended()).exitCode).toBe(77)
  expect((await cli.run(["--profile", "bob", "config", "list"])).code).toBe(78)

  const sure = new Terminal(cli, command)
  await sure.shows(/Is it the pin that they gave you\?/)
  sure.type(`y${ENTER}`)
  expect((await sure.ended()).exitCode).toBe(0)
  expect((await cli.run(["--profile", "bob", "config", "get", "broker.pin"])).stdout).toBe(`${pin}\n`)
})

test("another pin is shown with the known one, and nothing changes unless Bob says so", async () => {
  const cli = new CliFixture()
  const { address, pin } = await runningBroker(cli)
  const wrong = "00".repeat(16)
  const bob = ["--profile", "bob"]
  const init = ["init", "--name", "bob", "--no-passphrase", "--broker", "127.0.0.1:1", "--pin", wrong]
  expect((await cli.run([...bob, ...init])).code).toBe(0)
  const before = (await cli.run([...bob, "config", "list"])).stdout

  for (const flags of [[], ["--pin", pin]]) {
    const terminal = new Terminal(cli, [...bob, "config", "set", "broker", address, ...flags])
    await terminal.shows(new RegExp(wrong))
    await terminal.shows(new RegExp(pin))
    await terminal.shows(/Is it the pin that they gave you\?|Change to another broker\?/)
    terminal.type(ENTER)
    expect((await terminal.ended()).exitCode).toBe(77)
    expect((await cli.run([...bob, "config", "list"])).stdout).toBe(before)
  }

  const sure = new Terminal(cli, [...bob, "config", "set", "broker", address])
  await sure.shows(/Is it the pin that they gave you\?/)
  sure.type(`y${ENTER}`)
  expect((await sure.ended()).exitCode).toBe(0)
  const { stdout } = await cli.run([...bob, "--json", "status"])
  expect(JSON.parse(stdout)).toMatchObject({ broker: address, connection: { kind: "online" } })
})

test("the broker of this laptop takes the place of another pin only when both were shown and Alice says so", async () => {
  const cli = new CliFixture()
  const { address, pin } = await runningBroker(cli)
  const alice = ["--profile", "alice"]
  const wrong = "00".repeat(16)
  expect((await cli.run([...alice, "config", "set", "broker", "127.0.0.1:1", "--pin", wrong])).code).toBe(0)
  const before = (await cli.run([...alice, "config", "list"])).stdout
  const change = [...alice, "config", "set", "broker", "here", "--pin", pin]

  const unsure = new Terminal(cli, change)
  await unsure.shows(new RegExp(wrong))
  await unsure.shows(new RegExp(pin))
  await unsure.shows(/Change to another broker\?/)
  unsure.type(ENTER)
  expect((await unsure.ended()).exitCode).toBe(77)
  expect((await cli.run([...alice, "config", "list"])).stdout).toBe(before)

  const printed = await cli.run(change)
  expect([printed.code, printed.stderr]).toEqual([0, expect.stringContaining(wrong)])
  const { stdout } = await cli.run([...alice, "--json", "status"])
  expect(JSON.parse(stdout)).toMatchObject({ broker: address, connection: { kind: "online" } })
})
