import { existsSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { until } from "../until.ts"
import { pairedUsers, QUICK_TIMERS, ScenarioFixture, type User } from "./scenario-fixture.ts"

/** What each command says about a process that is stopped. */
async function outcomeOf(
  user: User,
  ...args: readonly string[]
): Promise<{ code: number | null; stderr: string }> {
  const { code, stderr } = await user.run(args, QUICK_TIMERS)
  return { code, stderr }
}

describe("a process that has the profile and is stopped, as by Ctrl+Z,", () => {
  it("makes no other command wait for ever, and is named with what lets it go on", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    const owner = bob.start(["inbox", "--follow"])
    await alice.runJson("send", "bob", "are you there?")
    await owner.prints(/are you there\?/)
    owner.kill("SIGSTOP")
    const stopped = `process ${owner.pid}, mqttchat inbox) is stopped`
    const next = `→ kill -CONT ${owner.pid}\n`
    const commands = [
      ["send", "alice", "hi", "--timeout", "2s"],
      ["send", "alice", "hi", "--no-wait"],
      ["send", "alice", "hi", "--timeout", "2s", "--verbose"],
      ["inbox"],
      ["inbox", "--follow"],
      ["chat", "alice"],
      ["status"],
      ["outbox"],
      ["history", "alice"],
      ["search", "hi"],
      ["contacts"],
      ["verify", "alice", "--no-input"],
      ["pair", "--no-qr"],
      ["daemon"],
      ["daemon", "--stdio"],
      ["daemon", "status"],
      ["daemon", "stop"],
    ]
    const outcomes = await Promise.all(commands.map((args) => outcomeOf(bob, ...args)))
    expect(outcomes.map(({ code }, at) => [commands[at]?.join(" "), code])).toEqual(
      commands.map((args) => [args.join(" "), 69]),
    )
    for (const { stderr } of outcomes) {
      expect(stderr).toContain(stopped)
      expect(stderr).toContain(next)
    }
    for (const { stderr } of outcomes.slice(0, 3))
      expect(stderr).toContain("it is not known whether the message was stored")
    const doctor = await outcomeOf(bob, "doctor")
    expect(doctor.code).toBe(69)
    owner.kill("SIGCONT")
    await bob.runJson("send", "alice", "here again")
    expect(await alice.receiveTexts("here again")).toEqual(["here again"])
  })

  it("also without a socket, as a command that only wanted to send has the profile", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { bob } = await pairedUsers(fixture)
    // It waits for a receipt that nobody sends, with the lock and without a socket.
    const owner = bob.start(["send", "alice", "hello", "--wait", "read", "--timeout", "1h"])
    await until(() => existsSync(bob.file("owner.lock")))
    owner.kill("SIGSTOP")
    const { code, stderr } = await outcomeOf(bob, "send", "alice", "hi", "--timeout", "2s")
    expect(code).toBe(69)
    expect(stderr).toContain(`process ${owner.pid}, mqttchat send) is stopped`)
  })
})
