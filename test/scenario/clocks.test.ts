import { join } from "node:path"
import { expect, test } from "vitest"
import { pairedUsers, type RunOptions, ScenarioFixture } from "./scenario-fixture.ts"

const HOURS_OF_DAY = 24

function clockWrongBy(hours: number): RunOptions {
  const preload = `--require ${join(import.meta.dirname, "wrong-clock.cjs")}`
  return { env: { NODE_OPTIONS: preload, WRONG_CLOCK_HOURS: String(hours) } }
}

test("[D-106] a clock that is 60 days wrong, behind or ahead, for a command or two loses, ends and delays nothing", async () => {
  const fixture = new ScenarioFixture()
  try {
    const { alice, bob } = await pairedUsers(fixture)
    const [behind, ahead] = [clockWrongBy(-60 * HOURS_OF_DAY), clockWrongBy(60 * HOURS_OF_DAY)]
    await bob.runJson("send", "alice", "first", "--wait", "broker")
    await bob.runJsonWith(behind, "send", "alice", "from the past", "--no-wait")
    expect((await bob.run(["status"], behind)).stdout).toContain("check this machine's clock")
    await bob.runJsonWith(ahead, "outbox")
    await bob.runJson("send", "alice", "last", "--wait", "broker")
    expect((await bob.run(["status"])).stdout).not.toContain("clock")
    expect(await alice.receiveTexts("first", "from the past", "last")).toEqual([
      "first",
      "from the past",
      "last",
    ])
    const lines = await bob.runJson("history", "alice", "--last", "100")
    expect(lines.filter(({ state }) => state === "given-up")).toEqual([])
  } finally {
    await fixture.end()
  }
})

test("[D-106] a text with a timer of an hour outlives one look with a clock that is two hours ahead", async () => {
  const fixture = new ScenarioFixture()
  try {
    const { alice, bob } = await pairedUsers(fixture)
    await bob.runJson("timer", "alice", "1h")
    await bob.runJson("send", "alice", "for an hour", "--wait", "broker")
    await alice.receiveTexts("for an hour")
    await alice.runJsonWith(clockWrongBy(2), "history", "bob")
    expect((await alice.history(bob)).map(({ text }) => text)).toContain("for an hour")
  } finally {
    await fixture.end()
  }
})
