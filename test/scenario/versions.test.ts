import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { VERSION } from "../../src/version.ts"
import { PROGRAM } from "../cli/cli-fixture.ts"
import { initHost, ScenarioFixture, schemaIs, type User } from "./scenario-fixture.ts"

/** Real processes share two cores with other tests: a ceiling, no verdict on speed. */
const CEILING = { timeout: 180_000 }
const OTHER = "9.8.7-other"

/** This build, but for its version. */
function otherBuild(folder: string): string {
  const copy = join(folder, "other-build")
  cpSync(dirname(PROGRAM), copy, { recursive: true })
  for (const name of readdirSync(copy).filter((file) => /\.c?js$/.test(file))) {
    const path = join(copy, name)
    writeFileSync(path, readFileSync(path, "utf8").replaceAll(JSON.stringify(VERSION), JSON.stringify(OTHER)))
  }
  return join(copy, "mqttchat.cjs")
}

async function refusal(user: User, ...args: readonly string[]): Promise<unknown> {
  const { code, stderr } = await user.run([...args, "--json"])
  return { code, ...(JSON.parse(stderr) as object) }
}

describe("two versions of the program", CEILING, () => {
  it("a command says that the daemon is another version, and what to do about it", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = fixture.user("alice")
    const program = otherBuild(fixture.folder)
    expect((await alice.run(["--version"], { program })).stdout).toBe(`${OTHER}\n`)
    await initHost(alice)
    const daemon = alice.start(["daemon", "--json"], { program })
    await daemon.waitForOutput(schemaIs("daemon"))

    const message = `the mqttchat that has this profile open is version ${OTHER}, and this command is version ${VERSION}`
    const other = { code: 69, message, hint: "mqttchat daemon stop" }
    for (const args of [
      ["send", "bob", "hello"],
      ["inbox"],
      ["status"],
      ["contacts"],
      ["daemon", "status"],
    ]) {
      expect(await refusal(alice, ...args)).toMatchObject({
        ...other,
        code: expect.anything() as unknown,
        exit: 69,
      })
    }
    await alice.runJson("daemon", "stop")
    await daemon.finished()
    expect(await alice.status()).toMatchObject({ schema: "mqttchat/status/1" })
  })

  it("an operator's command says that the broker is another version", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = fixture.user("alice")
    await initHost(alice)
    const broker = alice.start(["broker", "--loopback", "--port", "0", "--json"], {
      program: otherBuild(fixture.folder),
    })
    await broker.waitForOutput(schemaIs("broker"))
    for (const args of [
      ["broker", "status"],
      ["broker", "users"],
    ]) {
      expect(await refusal(alice, ...args)).toMatchObject({
        exit: 69,
        message: expect.stringContaining(OTHER) as string,
        hint: expect.stringContaining("mqttchat broker") as string,
      })
    }
  })

  it("a daemon that does not know the question is another version", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = fixture.user("alice")
    await initHost(alice)
    const asked: string[] = []
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy())
      socket.on("data", (line: Buffer) => {
        const { id, method } = JSON.parse(line.toString()) as { id: number; method: string }
        asked.push(method)
        const error = { code: -32601, message: `there is no method "${method}"` }
        socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, error })}\n`)
      })
    })
    const socket = alice.file("owner.sock")
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    onTestFinished(() => {
      server.close()
      rmSync(socket, { force: true })
    })
    expect(await refusal(alice, "send", "bob", "hello")).toMatchObject({
      exit: 69,
      message: expect.stringContaining("another version") as string,
    })
    expect(asked).toEqual(["version"])
  })
})
