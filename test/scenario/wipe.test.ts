import { cpSync, existsSync, linkSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { Terminal } from "../cli/terminal.ts"
import { CliFixture } from "../cli/cli-fixture.ts"
import { crashAt, pairedUsers, type User, schemaIs, ScenarioFixture } from "./scenario-fixture.ts"

const NO_PROFILE = { code: 78, signal: null }

function filesOf(who: User): readonly string[] {
  return existsSync(who.home) ? readdirSync(who.home, { recursive: true, encoding: "utf8" }).toSorted() : []
}

async function wouldGo(who: User): Promise<readonly string[]> {
  return (await who.runJson("wipe", "--dry-run")).map(({ path }) => String(path))
}

describe.concurrent("a profile that is wiped", () => {
  it("is gone, keys first and overwritten, and only what was asked for", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    await bob.runJson("send", "alice", "burn after reading")
    const kept = join(fixture.folder, "the same blocks under another name")
    linkSync(bob.file("identity.key"), kept)
    const [before, files] = [readFileSync(kept), filesOf(bob)]

    expect((await wouldGo(bob))[0]).toBe(bob.file("identity.key"))
    expect(await bob.run(["wipe"])).toMatchObject({ code: 64 })
    expect(await bob.run(["wipe", "--yes", "bob"])).toMatchObject({ code: 77 })
    expect(await bob.run(["--profile", "other", "wipe", "--yes", "other"])).toMatchObject(NO_PROFILE)
    expect(filesOf(bob)).toEqual(files)

    const { code, stderr } = await bob.run(["wipe", "--yes", "default"])
    expect(code, stderr).toBe(0)
    expect(stderr).toContain("mqttchat broker revoke")
    expect(filesOf(bob)).toEqual([])
    const after = readFileSync(kept)
    expect(after.length).toBe(before.length)
    expect(after.subarray(0, 16)).not.toEqual(before.subarray(0, 16))
    expect(await bob.run(["history", "alice"])).toMatchObject(NO_PROFILE)
    expect(await bob.run(["wipe", "--yes", "default"])).toMatchObject(NO_PROFILE)
    expect(await alice.receiveTexts("burn after reading")).toContain("burn after reading")
  })

  it("waits until no process has it open", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { bob } = await pairedUsers(fixture)
    const owner = bob.start(["pair", "--json", "--no-qr"])
    await owner.waitForOutput(schemaIs("offer"))
    const files = filesOf(bob)
    const refused = await bob.run(["wipe", "--yes", "default"])
    expect(refused).toMatchObject({ code: 69 })
    expect(refused.stderr).toContain(`kill ${owner.pid}`)
    expect(filesOf(bob)).toEqual(files)
    await owner.stop()
    expect(await bob.run(["wipe", "--yes", "default"])).toMatchObject({ code: 0 })
    expect(filesOf(bob)).toEqual([])
  })

  it("keeps its broker and foreign files, unless told otherwise", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, broker } = await pairedUsers(fixture)
    writeFileSync(alice.file("shopping list"), "milk")
    const both = ["wipe", "--yes", "default", "--broker-too"]
    expect(await alice.run(both)).toMatchObject({
      code: 69,
      stderr: expect.stringContaining(`process ${broker.pid}) runs the broker`) as string,
    })
    expect(existsSync(alice.file("identity.key"))).toBe(true)

    const first = await alice.run(["wipe", "--yes", "default"])
    expect(first).toMatchObject({ code: 0 })
    expect(first.stderr).toContain(`left where it is: ${alice.file("shopping list")}`)
    expect(existsSync(alice.file("broker/broker.key"))).toBe(true)
    await broker.stop()
    expect(await alice.run(both)).toMatchObject({ code: 0 })
    expect(filesOf(alice)).toEqual(["default", "default/shopping list"])
  })

  it("is wiped completely by the same command if the first one was killed at any moment", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { bob } = await pairedUsers(fixture)
    const { signal } = await bob.run(["send", "alice", "x"], crashAt("send-committed"))
    expect(signal).toBe("SIGKILL")
    const copy = (number: number): User => {
      cpSync(bob.home, join(fixture.folder, `copy ${number}`), { recursive: true })
      return fixture.user("bob", join(fixture.folder, `copy ${number}`))
    }
    const names = (await wouldGo(bob)).map((path) => path.slice(bob.home.length + 1))
    expect(names).toContain("default/messages.db-wal")
    const steps = ["overwritten default/identity.key", ...names.map((name) => `removed ${name}`)]
    for (const [number, step] of steps.entries()) {
      const who = copy(number)
      const point = step.replace(" ", ` ${who.home}/`)
      const killed = await who.run(["wipe", "--yes", "default"], crashAt(point))
      expect(killed.signal, point).toBe("SIGKILL")
      expect((await who.run(["history", "alice"])).code, point).toBe(number === 0 ? 65 : 78)
      expect(await who.run(["wipe", "--yes", "default"]), point).toMatchObject({ code: 0 })
      expect(filesOf(who), point).toEqual([])
    }
  })
})

describe("a user at a terminal", () => {
  it("types the name of the profile; another name does nothing", async () => {
    const cli = new CliFixture()
    await cli.run(["--profile", "alice", "init", "--name", "a", "--no-passphrase", "--broker", "later"])
    const wrong = new Terminal(cli, ["--profile", "alice", "wipe"])
    await wrong.shows(/Type its name/)
    wrong.type("yes\r")
    expect((await wrong.ended()).exitCode).toBe(77)
    expect(existsSync(join(cli.folder, "home/alice/identity.key"))).toBe(true)
    const right = new Terminal(cli, ["--profile", "alice", "wipe"])
    await right.shows(/Type its name/)
    right.type("alice\r")
    expect((await right.ended()).exitCode).toBe(0)
    expect(existsSync(join(cli.folder, "home/alice"))).toBe(false)
  })
})
