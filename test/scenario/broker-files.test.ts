import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { describe, expect, test, type TestContext } from "vitest"
import { pairedUsers, startBroker, ScenarioFixture, type JsonProcess, type User } from "./scenario-fixture.ts"

/** Alice's broker, which has ended while a message of hers waits for Bob. */
async function endedBroker({ onTestFinished }: TestContext): Promise<{ alice: User; bob: User }> {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  const { alice, bob, broker } = await pairedUsers(fixture)
  await alice.runJson("send", "bob", "waits")
  await end(broker, "SIGTERM")
  return { alice, bob }
}

async function end(broker: JsonProcess, signal: NodeJS.Signals): Promise<void> {
  broker.kill(signal)
  await broker.finished()
}

/** What the broker says on stderr until it runs. */
async function saysAtStart(alice: User, signal: NodeJS.Signals = "SIGTERM"): Promise<string> {
  const broker = await startBroker(alice, "again")
  await end(broker, signal)
  return (await broker.finished()).stderr
}

describe.concurrent("a broker whose files are not what they were", () => {
  test("says nothing if they are, however it ended", async (context) => {
    const { alice } = await endedBroker(context)
    for (const signal of ["SIGTERM", "SIGKILL", "SIGTERM"] as const)
      expect(await saysAtStart(alice, signal)).not.toContain("!")
  })

  test("says that the queues are gone, what waited in them and since when; the message arrives all the same", async (context) => {
    const { alice, bob } = await endedBroker(context)
    rmSync(alice.file("broker/queues.journal"))
    const broker = await startBroker(alice, "again")
    await broker.prints(
      /queues\.journal is gone: all that waited for devices is lost\. At [-\d]+ [:\d]+ [1-9]\d* messages waited for \d+ devices/,
    )
    await bob.runJson("status")
    await alice.runJson("send", "bob", "after it")
    expect(await bob.receiveTexts("after it")).toContain("after it")
    await end(broker, "SIGTERM")
  })

  test("says at which byte the queues are damaged, or that their end was cut off", async (context) => {
    const { alice } = await endedBroker(context)
    const path = alice.file("broker/queues.journal")
    const bytes = readFileSync(path)
    bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40)
    writeFileSync(path, bytes)
    expect(await saysAtStart(alice)).toMatch(/queues\.journal is damaged at byte \d+: .*, is lost/)
    truncateSync(path, statSync(path).size - 1)
    expect(await saysAtStart(alice)).toMatch(/queues\.journal is damaged at byte \d+/)
    truncateSync(path, 26)
    expect(await saysAtStart(alice)).toMatch(/queues\.journal is not what it was: it had \d+ bytes .* has 26/)
    truncateSync(path, 3)
    const refused = await alice.run(["broker", "--loopback"])
    expect([refused.code, refused.stderr]).toEqual([65, expect.stringContaining("not a broker's journal")])
  })

  test("says that its address, or the note to compare with, is gone", async (context) => {
    const { alice } = await endedBroker(context)
    rmSync(alice.file("broker/address.json"))
    const port = 20_000 + (process.pid % 20_000)
    const broker = alice.start(["broker", "--loopback", "--port", String(port), "--json"])
    await broker.prints(/address\.json is gone, and with it where this broker listened/)
    await broker.prints(/"pin"/)
    await end(broker, "SIGTERM")
    rmSync(alice.file("broker/last-run.json"))
    expect(await saysAtStart(alice)).toMatch(/last-run\.json is gone/)
    expect(existsSync(alice.file("broker/last-run.json"))).toBe(true)
    writeFileSync(alice.file("broker/last-run.json"), "not ours")
    expect(await saysAtStart(alice)).toMatch(/last-run\.json is gone/)
  })

  test("does not begin anew when keys and ledger are gone and the rest is there", async (context) => {
    const { alice } = await endedBroker(context)
    for (const name of ["broker.key", "registrar.ledger"]) rmSync(alice.file(`broker/${name}`))
    const refused = await alice.run(["broker", "--loopback"])
    expect([refused.code, refused.stderr]).toEqual([
      65,
      expect.stringMatching(/broker\.key and .*registrar\.ledger are gone/),
    ])
    expect(existsSync(alice.file("broker/broker.key"))).toBe(false)
  })
})
