import { existsSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { pairedUsers, ScenarioFixture } from "./scenario-fixture.ts"

describe.concurrent("mqttchat alone", () => {
  it("shows that messages came, and that the profile is offline, through a daemon or without one", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob, broker } = await pairedUsers(fixture)
    await alice.runJson("send", "bob", "hello")
    const alone = await bob.run([])
    expect(alone).toMatchObject({ code: 0, stderr: "" })
    expect(alone.stdout).toMatch(/^contacts {2}1 contact; new messages from alice$/m)
    expect(alone.stdout).toMatch(/^unread {4}1 message$/m)
    expect(alone.stdout).toMatch(/^ {2}mqttchat inbox +read the new messages$/m)
    const daemon = bob.start(["daemon"])
    await daemon.prints(/daemon running/)
    expect((await bob.run([])).stdout).toMatch(/^daemon {4}running\nunread {4}1 message$/m)
    daemon.kill("SIGTERM")
    await daemon.finished()
    broker.kill("SIGTERM")
    await broker.finished()
    const offline = await bob.run([])
    expect(offline.code).toBe(0)
    expect(offline.stdout).toMatch(/^link {6}the broker at \S+ is not running/m)
    expect(offline.stdout).toMatch(/^ {2}mqttchat doctor +find out why it is offline$/m)
    for (const { stdout } of [alone, offline]) expect(stdout.split("\n").length).toBeLessThanOrEqual(20)
  })

  it("shows locked keys without asking, also those of a daemon, and ends with 0 where something is broken", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const carol = fixture.user("carol")
    const file = join(fixture.folder, "passphrase")
    writeFileSync(file, "correct horse\n")
    await carol.runJson("init", "--name", "carol", "--broker", "later", "--passphrase-file", file)
    const daemon = carol.start(["daemon", "--passphrase-file", file])
    await daemon.prints(/daemon running/)
    expect((await carol.run([])).stdout).toMatch(/^contacts {2}none yet$/m)
    await carol.run(["daemon", "lock"])
    const locked = await carol.run([])
    expect(locked.code).toBe(0)
    expect(locked.stdout).toMatch(/not shown: the daemon's keys are locked/)
    expect(locked.stdout).toMatch(/^ {2}mqttchat daemon unlock /m)
    await carol.run(["daemon", "stop"])
    writeFileSync(carol.file("settings.json"), "{")
    const damaged = await carol.run([])
    expect(damaged).toMatchObject({ code: 0, stderr: "" })
    expect(damaged.stdout).toMatch(/not shown: its keys are locked/)
    rmSync(carol.file("identity.key"))
    const keyless = await carol.run([])
    expect(keyless).toMatchObject({ code: 0, stderr: "" })
    expect(keyless.stdout).toMatch(/^problem {3}the key file .* is missing/m)
    expect(existsSync(carol.file("owner.lock"))).toBe(false)
  })
})
