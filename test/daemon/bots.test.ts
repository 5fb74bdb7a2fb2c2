import { spawn, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import {
  isMessage,
  pairedUsers,
  type User,
  schemaIs,
  ScenarioFixture,
  type JsonProcess,
} from "../scenario/scenario-fixture.ts"

const BOTS = join(import.meta.dirname, "../../docs/bots")
type BotSetup = { readonly alice: User; readonly bob: User; readonly daemon: JsonProcess }

/** Alice writes to the bot that Bob runs with his daemon. */
async function setUp(): Promise<BotSetup> {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  const { alice, bob } = await pairedUsers(fixture)
  return { alice, bob, daemon: bob.start(["daemon", "--tcp", "0", "--json"]) }
}

function run(command: string, ...args: string[]): void {
  const bot = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"], detached: true })
  onTestFinished(() => {
    // the shell and what it started
    if (bot.pid !== undefined) process.kill(-bot.pid, "SIGTERM")
  })
}

const TEXTS = [
  "plain",
  'a "quote", a \\ and \t a tab',
  "two\nlines",
  '","mine":false,"text":"no"',
  "žluťoučký 🐎",
]

async function exchange(alice: User): Promise<void> {
  const follower = alice.start(["inbox", "--follow", "--json"])
  for (const text of TEXTS) {
    await alice.runJson("send", "bob", text)
    await follower.waitForOutput(isMessage(text))
  }
}

test("the bot in JavaScript echoes its messages, also those that came before it ran", async () => {
  const { alice, daemon } = await setUp()
  const { socket } = await daemon.waitForOutput(schemaIs("daemon"))
  await alice.runJson("send", "bob", "early")
  run(process.execPath, join(BOTS, "echo.mjs"), String(socket))
  await alice.receiveTexts("early")
  await exchange(alice)
})

test.skipIf(netcatIsMissing())("the bot in shell echoes its messages", async () => {
  const { alice, daemon } = await setUp()
  const { tcp, token } = await daemon.waitForOutput(schemaIs("daemon"))
  run("sh", join(BOTS, "echo.sh"), String((tcp as { port: number }).port), String(token))
  // It echoes only what comes while it listens.
  while (!(await alice.inbox()).includes("hello?")) await alice.runJson("send", "bob", "hello?")
  await exchange(alice)
})

test("both bots have twenty lines at most", () => {
  for (const name of ["echo.mjs", "echo.sh"])
    expect(readFileSync(join(BOTS, name), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(20)
})

/** @throws Error if nc is missing and MQTTCHAT_TEST_REQUIRE=all forbids skipped tests. */
function netcatIsMissing(): boolean {
  const isMissing = spawnSync("nc", ["-h"]).error !== undefined
  if (isMissing && process.env["MQTTCHAT_TEST_REQUIRE"] === "all")
    throw new Error("nc is not installed: apt-get install netcat-openbsd")
  return isMissing
}
