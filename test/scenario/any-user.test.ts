import { spawn } from "node:child_process"
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { describe, expect, it, onTestFinished } from "vitest"
import { CliFixture, type Finished, PROGRAM, Running } from "../cli/cli-fixture.ts"

/** No entry of the password database has it. */
const UID = 54_321
const isRoot = process.getuid?.() === 0

/** A copy of the program that every user may read, since a checkout may be below a private folder. */
function publicFolder(): { folder: string; program: string } {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-any-user-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  chmodSync(folder, 0o755)
  cpSync(dirname(PROGRAM), join(folder, "dist"), { recursive: true })
  return { folder, program: join(folder, "dist", "mqttchat.cjs") }
}

async function runAs(env: NodeJS.ProcessEnv, program: string, ...args: string[]): Promise<Finished> {
  const node = process.execPath
  const child = spawn(node, [program, ...args], { env, uid: UID, gid: UID, cwd: "/", stdio: "pipe" })
  child.stdin.end()
  return new Running(child).finished()
}

function ownFolder(path: string): string {
  mkdirSync(path, { mode: 0o700 })
  chownSync(path, UID, UID)
  return path
}

describe.skipIf(!isRoot)("a user id without an entry in the password database", () => {
  it("is told which variable helps without HOME, and works with it, or with MQTTCHAT_HOME alone", async () => {
    const { folder, program } = publicFolder()
    const homeless = await runAs({}, program, "status")
    expect([homeless.code, homeless.stderr]).toEqual([
      78,
      expect.stringContaining("set MQTTCHAT_HOME to a folder of yours"),
    ])
    const init = ["init", "--no-passphrase", "--broker", "later"]
    const [home, own] = [ownFolder(join(folder, "home")), ownFolder(join(folder, "own"))]
    const unnamed = await runAs({ HOME: home }, program, ...init)
    expect([unnamed.code, unnamed.stderr]).toEqual([64, expect.stringContaining("mqttchat init --name NAME")])
    expect(await runAs({ HOME: home }, program, ...init, "--name", "x")).toMatchObject({ code: 0 })
    expect(await runAs({ MQTTCHAT_HOME: own }, program, ...init, "--name", "x")).toMatchObject({ code: 0 })
    expect(await runAs({ MQTTCHAT_HOME: own }, program, "inbox")).toMatchObject({ code: 0 })
    // A path that does not fit into a socket's name is shortened, by the user id.
    const long = ownFolder(join(folder, "l".repeat(100)))
    expect(await runAs({ MQTTCHAT_HOME: long, USER: "from-env" }, program, ...init)).toMatchObject({
      code: 0,
    })
    expect(await runAs({ MQTTCHAT_HOME: long }, program, "contacts")).toMatchObject({ code: 0 })
  })

  it.each(["/", "/nonexistent/home", "read-only"])("is told what helps in the home %s", async (path) => {
    const { folder, program } = publicFolder()
    const home = path === "read-only" ? join(folder, "read-only") : path
    if (path === "read-only") mkdirSync(home, { mode: 0o555 })
    const refused = await runAs(
      { HOME: home },
      program,
      "init",
      "--no-passphrase",
      "--broker",
      "later",
      "--name",
      "x",
    )
    expect([refused.code, refused.stderr]).toEqual([
      74,
      expect.stringContaining("set MQTTCHAT_HOME to a folder that you may write to"),
    ])
    expect((await runAs({ HOME: home }, program, "status")).code).toBe(78)
  })
})

it("a relative HOME or XDG folder is ignored, and no variable but PATH is needed", async () => {
  const cli = new CliFixture()
  const home = join(cli.folder, "home")
  cli.more = {
    HOME: "relative",
    XDG_DATA_HOME: "data",
    XDG_CONFIG_HOME: "config",
    LANG: undefined,
    TMPDIR: "/missing",
    MQTTCHAT_HOME: home,
  }
  expect(await cli.run(["init", "--no-passphrase", "--broker", "later", "--name", "x"])).toMatchObject({
    code: 0,
  })
  expect(existsSync("relative")).toBe(false)
})
