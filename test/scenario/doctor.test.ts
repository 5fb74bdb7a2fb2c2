import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { describe, expect, test, type TestContext } from "vitest"
import { pinOf } from "../../src/broker/certificates.ts"
import { toHex } from "../../src/crypto/bytes.ts"
import { until } from "../until.ts"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import {
  pairedUsers,
  type User,
  schemaIs,
  initHost,
  startBroker,
  ScenarioFixture,
} from "./scenario-fixture.ts"

function newFixture({ onTestFinished }: TestContext): ScenarioFixture {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  return fixture
}

type Findings = Readonly<
  Record<string, { readonly result: unknown; readonly found: unknown; readonly fix: unknown }>
>

/** The doctor's findings, by check, and the exit code. */
async function examine(
  user: User,
  ...flags: readonly string[]
): Promise<{ code: number | null; findings: Findings }> {
  const { code, output } = await user.run(["doctor", "--json", ...flags])
  const rows = output.filter(schemaIs("finding")).map(({ check, result, found, fix }) => {
    return [String(check), { result, found, fix }] as const
  })
  return { code, findings: Object.fromEntries(rows) }
}

function withResult(findings: Findings, wanted: string): string[] {
  return Object.entries(findings).flatMap(([check, { result }]) => (result === wanted ? [check] : []))
}

const AUDITS = ["other-inbox", "client-id", "registrar", "sys", "retained", "wills", "oversized", "endless"]

async function member(fixture: ScenarioFixture, { port, authority }: Mosquitto): Promise<User> {
  const user = fixture.user("alice")
  const pin = toHex(pinOf(authority.caCertificate))
  const where = ["--broker", `127.0.0.1:${String(port)}`, "--pin", pin]
  await user.runJson("init", "--name", "alice", "--no-passphrase", ...where)
  return user
}

describe.concurrent("the doctor", () => {
  test("finds nothing wrong with a device of our own broker, and disturbs nothing", async (context) => {
    const { alice, bob } = await pairedUsers(newFixture(context))
    await bob.runJson("send", "alice", "waits for her")
    const { code, findings } = await examine(alice)
    expect(code).toBe(0)
    expect(findings).toMatchObject({
      login: { result: "good" },
      "round-trip": { result: "good" },
      largest: { result: "good" },
      offline: { result: "good" },
    })
    expect(withResult(findings, "unknown")).toEqual(AUDITS)
    expect(await alice.inbox()).toEqual(["waits for her"])
  })

  test("with an unlocked daemon asks for no passphrase, and says once why it cannot tell thirteen things", async (context) => {
    const fixture = newFixture(context)
    const { bob } = await pairedUsers(fixture)
    const file = `${fixture.folder}/passphrase`
    writeFileSync(file, "correct horse\n")
    await bob.runJson("passwd", "--new-passphrase-file", file)
    const alone = await bob.run(["doctor"])
    expect(alone).toMatchObject({
      code: 64,
      stderr: expect.stringContaining("give --passphrase-file") as string,
    })
    const daemon = bob.start(["daemon", "--passphrase-file", file])
    await daemon.prints(/daemon running/)
    await until(async () => (await bob.run(["status"])).code === 0)
    const { code, stdout, stderr } = await bob.run(["doctor"])
    expect(code).toBe(0)
    expect(stdout.match(/^cannot tell/gm)).toEqual(["cannot tell"])
    expect(stdout).toMatch(
      /^cannot tell 13 things: another mqttchat has the profile open, and only one process may use it$/m,
    )
    expect(stdout).toMatch(/^good {8}the remaining days of this device's certificate: 89 days/m)
    expect(stdout).toContain("→ end it (a daemon: mqttchat daemon stop), then: mqttchat doctor --register")
    expect(stderr).toBe("! 14 checks are good, and 13 cannot tell: the reasons are above\n")
  })

  test("registers its own probe members if it may, and reuses the same two", async (context) => {
    const { alice, bob, broker: first } = await pairedUsers(newFixture(context))
    let broker = first
    for (let time = 0; time < 2; time++) {
      const { code, findings } = await examine(bob, "--register")
      expect(withResult(findings, "good")).toEqual(expect.arrayContaining(AUDITS))
      expect(code).toBe(0)
      // A new process has counted no connections of the two, which it would slow down for half a minute.
      broker.kill("SIGTERM")
      await broker.finished()
      broker = await startBroker(alice, "again")
    }
    const ledger = readFileSync(alice.file("broker/registrar.ledger"), "utf8").trim().split("\n")
    const entries = ledger.map((line) => (JSON.parse(line) as { entry: Record<string, unknown> }).entry)
    const admitted = entries.filter(({ kind, deviceName }) => kind === "admitted" && deviceName === "doctor")
    expect(admitted).toHaveLength(4)
    expect(new Set(admitted.map(({ device }) => device)).size).toBe(2)
    await bob.runJson("send", "alice", "as ever")
    expect(await alice.receiveTexts("as ever")).toContain("as ever")
  })

  test("leaves the profile to the process that has it open", async (context) => {
    const { alice, bob } = await pairedUsers(newFixture(context))
    const chat = alice.start(["inbox", "--follow", "--json"])
    await bob.runJson("send", "alice", "before")
    await chat.waitForOutput(({ text }) => text === "before")
    await alice.runJson("send", "bob", "while he is away")
    const { code, findings } = await examine(alice)
    expect(code).toBe(0)
    expect(findings).toMatchObject({
      owner: { result: "good", found: "it answers" },
      database: { result: "unknown" },
      outbox: { result: "good", found: expect.stringMatching(/^1 wait, the oldest for /) as unknown },
      login: { result: "good" },
      "round-trip": { result: "unknown" },
    })
    await bob.runJson("send", "alice", "after")
    await chat.waitForOutput(({ text }) => text === "after")
  })

  test("ends with the code of the worst finding: no broker listens, and a key file is open to others", async (context) => {
    const alice = newFixture(context).user("alice")
    await initHost(alice)
    const broker = await startBroker(alice)
    broker.kill("SIGKILL")
    await broker.finished()
    expect(await examine(alice)).toMatchObject({
      code: 69,
      findings: { tcp: { result: "bad", fix: "mqttchat broker" }, login: { result: "unknown" } },
    })
    const key = alice.file("identity.key")
    chmodSync(key, 0o644)
    expect(await examine(alice)).toMatchObject({
      code: 69,
      findings: { files: { result: "weak", fix: `chmod go= ${key}` } },
    })
    chmodSync(dirname(key), 0o755)
    expect(await examine(alice)).toMatchObject({
      code: 78,
      findings: { files: { result: "bad" }, lock: { result: "bad", fix: `chmod 700 ${dirname(key)}` } },
    })
  })

  test("finds a page of the message store that was changed", async (context) => {
    const alice = newFixture(context).user("alice")
    await initHost(alice)
    const store = alice.file("messages.db")
    const bytes = readFileSync(store)
    // the last page, which opening does not read
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 100) ^ 1, bytes.length - 100)
    writeFileSync(store, bytes)
    expect(await examine(alice)).toMatchObject({ code: 65, findings: { database: { result: "bad" } } })
  })

  test("finds a broker that is not the pinned one", async (context) => {
    const alice = newFixture(context).user("alice")
    await initHost(alice)
    await startBroker(alice)
    const address = JSON.parse(readFileSync(alice.file("broker/address.json"), "utf8")) as object
    const another = JSON.stringify({ ...address, pin: "00".repeat(16) })
    writeFileSync(alice.file("broker/address.json"), another)
    const { code, findings } = await examine(alice)
    expect(code).toBe(76)
    expect(findings).toMatchObject({
      tls: { result: "good" },
      pin: { result: "bad" },
      login: { result: "unknown" },
    })
  })
})

describe.skipIf(mosquittoIsMissing())("the doctor on an external Mosquitto", { concurrent: true }, () => {
  test("that is open: it finds what every client can do, and how to configure Mosquitto against it", async (context) => {
    const broker = await startMosquitto("open")
    context.onTestFinished(broker.close)
    const alice = await member(newFixture(context), broker)
    const { code, findings } = await examine(alice)
    expect(code).toBe(1)
    expect(withResult(findings, "weak")).toEqual(expect.arrayContaining(AUDITS))
    expect(findings).toMatchObject({
      mqtt: { result: "good", found: expect.stringContaining("MQTT 5") as string },
      offline: { result: "good" },
      tls: { result: "weak" },
      sys: { found: "yes (statistics)", fix: expect.stringContaining("sys_interval 0") as string },
      oversized: { fix: "max_packet_size 66560" },
    })
    expect(withResult(findings, "bad")).toEqual([])
  })

  test("of several nodes: it uses the one that is up, and reports the one that is not", async (context) => {
    const broker = await startMosquitto("open")
    context.onTestFinished(broker.close)
    const alice = await member(newFixture(context), broker)
    const settings = JSON.parse(readFileSync(alice.file("settings.json"), "utf8")) as { broker: object }
    const [dead, living] = [
      { host: "127.0.0.1", port: 1 },
      { host: "127.0.0.1", port: broker.port },
    ]
    const moved = { ...settings, broker: { ...settings.broker, ...dead, others: [living] } }
    writeFileSync(alice.file("settings.json"), JSON.stringify(moved), { mode: 0o600 })
    expect(await examine(alice)).toMatchObject({
      code: 1,
      findings: {
        nodes: { result: "weak", found: expect.stringContaining("127.0.0.1:1 is not running") as string },
        tcp: { result: "good" },
        login: { result: "good" },
      },
    })
  })
})
