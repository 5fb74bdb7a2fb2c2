import { readFileSync, writeFileSync } from "node:fs"
import { describe, expect, test, type TestContext } from "vitest"
import { invitationFor } from "./membership.ts"
import { pairedUsers, schemaIs, startBroker, ScenarioFixture, type User } from "./scenario-fixture.ts"

function newFixture({ onTestFinished }: TestContext): ScenarioFixture {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  return fixture
}

/** What the doctor finds about the broker's ledger, and the exit code. */
async function examine(user: User, ...flags: readonly string[]) {
  const { code, output } = await user.run(["doctor", "--json", ...flags])
  const finding = output.filter(schemaIs("finding")).find(({ check }) => check === "ledger")
  return { code, result: finding?.["result"], found: String(finding?.["found"]) }
}

function cutOff(operator: User, lines: number): void {
  const path = operator.file("broker/registrar.ledger")
  const kept = readFileSync(path, "utf8").trimEnd().split("\n").slice(0, -lines)
  writeFileSync(path, `${kept.join("\n")}\n`)
}

describe.concurrent("the ledger of a broker", () => {
  test("is put back to an older copy: the broker says so when it starts, each device does, until the user accepts it", async (context) => {
    const { alice, bob, broker } = await pairedUsers(newFixture(context))
    expect(await examine(bob)).toMatchObject({ code: 0, result: "good" })
    await invitationFor(alice, "carol")
    await alice.runJson("broker", "revoke", "carol")
    const before = await examine(bob)
    expect(before).toMatchObject({ code: 0, result: "good" })
    broker.kill("SIGTERM")
    await broker.finished()
    cutOff(alice, 1)
    const again = await startBroker(alice, "again")
    await again.prints(/the ledger was cut off or put back: it had \d+ entries at [-\d]+ [:\d]+, and has \d+/)
    const found = await examine(bob)
    expect(found).toMatchObject({ code: 76, result: "bad" })
    expect(found.found).toContain("a shorter ledger of")
    const { stdout } = await bob.run(["status"])
    expect(stdout).toMatch(/^ledger +CUT OFF since \d{4}-\d\d-\d\d/m)
    expect(await examine(bob, "--accept-ledger")).toMatchObject({ code: 0, result: "good" })
    expect(await examine(bob)).toMatchObject({ code: 0, result: "good" })
    await again.stop()
  })

  test("is asked for through the daemon that holds the profile", async (context) => {
    const { alice, bob, broker } = await pairedUsers(newFixture(context))
    await invitationFor(alice, "carol")
    const daemon = bob.start(["daemon", "--json"])
    await daemon.waitForOutput(schemaIs("daemon"))
    expect(await examine(bob)).toMatchObject({ result: "good" })
    await broker.stop()
    cutOff(alice, 1)
    await startBroker(alice, "again")
    await expect.poll(() => examine(bob), { timeout: 60_000 }).toMatchObject({ result: "bad" })
    expect(await examine(bob, "--accept-ledger")).toMatchObject({ result: "good" })
  })
})
