import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest"
import { pinOf } from "../../src/broker/certificates.ts"
import { toHex } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { openKeyFile } from "../../src/keystore/keyfile.ts"
import { mint, newId } from "../broker/broker-fixture.ts"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { isMessage, pair, QUICK_TIMERS, type User, schemaIs, ScenarioFixture } from "./scenario-fixture.ts"

const PASSWORD = { alice: "correct", bob: "horse" } as const

function newFixture({ onTestFinished }: TestContext): ScenarioFixture {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  return fixture
}

function addressOf({ port, authority }: Mosquitto): readonly string[] {
  return ["--broker", `127.0.0.1:${String(port)}`, "--pin", toHex(pinOf(authority.caCertificate))]
}

/** A user who has an account at the broker and no contacts. */
async function member(
  broker: Mosquitto,
  fixture: ScenarioFixture,
  name: keyof typeof PASSWORD,
): Promise<User> {
  const user = fixture.user(name)
  const password = join(user.home, "password")
  writeFileSync(password, `${PASSWORD[name]}\n`, { mode: 0o600 })
  const account = ["--username", name, "--password-file", password]
  await user.runJson("init", "--name", name, "--no-passphrase", ...addressOf(broker), ...account)
  return user
}

async function members(broker: Mosquitto, fixture: ScenarioFixture): Promise<readonly [User, User]> {
  return Promise.all([member(broker, fixture, "alice"), member(broker, fixture, "bob")])
}

/** A user to whom the broker's operator has given a device certificate. */
async function certified(broker: Mosquitto, fixture: ScenarioFixture, name: string): Promise<User> {
  const user = fixture.user(name)
  await user.runJson("init", "--name", name, "--no-passphrase", ...addressOf(broker))
  const { id: deviceId, certificate, key } = await mint(broker.authority, newId())
  const { ring, save } = await openKeyFile(user.file("identity.key"), "", systemRandom)
  await save({ ...ring, credential: { kind: "device", deviceId, certificate, key } })
  return user
}

async function exchangeTexts(alice: User, bob: User): Promise<void> {
  await alice.runJson("send", bob.name, "one")
  expect(await bob.inbox()).toEqual(["one"])
  await bob.runJson("send", alice.name, "two")
  expect(await alice.inbox()).toEqual(["two"])
}

describe.skipIf(mosquittoIsMissing())("on an external Mosquitto, with accounts", () => {
  let broker: Mosquitto
  beforeAll(async () => {
    broker = await startMosquitto("accounts")
  })
  afterAll(() => broker.close())

  test.concurrent("two members pair by code and write, in MQTT 5", async (context) => {
    const [alice, bob] = await members(broker, newFixture(context))
    const before = broker.log.length
    expect(await pair(alice, bob)).toHaveLength(4)
    await exchangeTexts(alice, bob)
    const joined = broker.log.slice(before).filter((line) => /u'(alice|bob)'/.test(line))
    expect(joined.length).toBeGreaterThanOrEqual(2)
    for (const line of joined) expect(line).toMatch(/\(p5, c0, /)
  })

  test.concurrent("two members pair by link", async (context) => {
    const [alice, bob] = await members(broker, newFixture(context))
    const offer = alice.start(["pair", "--link", "--json"])
    const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
    await bob.runJson("pair", String(carrier))
    await offer.waitForOutput(schemaIs("paired"))
    expect(await offer.ended()).toMatchObject({ code: 0 })
    await exchangeTexts(alice, bob)
  })

  test.concurrent("two members pair by a file, though they are never online together", async (context) => {
    const [alice, bob] = await members(broker, newFixture(context))
    const file = join(alice.home, "for-bob")
    await alice.runJson("pair", "--file", file)
    const paired = (await bob.runJsonWith(QUICK_TIMERS, "pair", file, "--timeout", "1h")).find(
      schemaIs("paired"),
    )
    const { name } = paired?.["contact"] as { name: string }
    // He has not seen her account yet: his text waits until she has answered.
    const waiting = await bob.run(["send", name, "whoever you are"], QUICK_TIMERS)
    expect(waiting).toMatchObject({ code: 75 })
    expect(await alice.inbox()).toEqual([])
    expect(await bob.inbox()).toEqual([])
    expect(await alice.inbox()).toEqual(["whoever you are"])
    expect(await bob.runJson("contacts")).toMatchObject([{ name: "alice", state: "established" }])
    await exchangeTexts(alice, bob)
  })

  test.concurrent(
    "a user without an account gets an error, and neither side has a new contact",
    async (context) => {
      const fixture = newFixture(context)
      const [alice, carol] = [await member(broker, fixture, "alice"), fixture.user("carol")]
      const offer = alice.start(["pair", "--json", "--no-qr"])
      const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
      const newcomer = ["--my-name", "carol", "--no-passphrase"]
      const { code, stderr } = await carol.run(["pair", String(carrier), ...newcomer])
      expect({ code, stderr }).toMatchObject({
        code: 77,
        stderr: expect.stringContaining("it wants an account") as string,
      })
      offer.kill("SIGINT")
      await offer.finished()
      for (const user of [alice, carol]) expect(await user.runJson("contacts")).toEqual([])
    },
  )
})

test.skipIf(mosquittoIsMissing())("nothing is lost or doubled when Mosquitto restarts", async (context) => {
  const broker = await startMosquitto("accounts")
  context.onTestFinished(() => broker.close())
  const [alice, bob] = await members(broker, newFixture(context))
  await pair(alice, bob)
  const texts = Array.from({ length: 20 }, (_, index) => `number ${String(index)}`)
  const [before, after] = [texts.slice(0, 10), texts.slice(10)]
  const chat = alice.start(["chat", "bob"])
  const inbox = bob.start(["inbox", "--follow", "--json"])
  const joinLines = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("")
  chat.type(joinLines(before))
  await inbox.waitForOutput(isMessage("number 3"))
  const restarted = broker.restart("SIGTERM")
  chat.type(joinLines(after))
  await restarted
  await inbox.waitForOutput(isMessage("number 19"))
  chat.endInput()
  expect(await chat.finished()).toMatchObject({ code: 0 })
  inbox.kill("SIGINT")
  const { output } = await inbox.ended()
  expect(output.map(({ text }) => text)).toEqual(texts)
})

describe.skipIf(mosquittoIsMissing())("on Mosquitto with the files that we ship", () => {
  let broker: Mosquitto
  beforeAll(async () => {
    broker = await startMosquitto("shipped")
  })
  afterAll(() => broker.close())

  test("two members with device certificates pair by code and by link, and write through a restart", async (context) => {
    const fixture = newFixture(context)
    const [alice, bob, carol] = [
      await certified(broker, fixture, "alice"),
      await certified(broker, fixture, "bob"),
      await certified(broker, fixture, "carol"),
    ]
    expect(await pair(alice, bob)).toHaveLength(4)
    const offer = alice.start(["pair", "--link", "--json"])
    const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
    await carol.runJson("pair", String(carrier))
    await offer.finished()
    await exchangeTexts(alice, bob)
    await carol.runJson("send", "alice", "kept")
    await broker.restart("SIGTERM")
    expect(await alice.inbox()).toEqual(["kept"])
  })

  test("the doctor finds nothing wrong there, and leaves waiting messages alone", async (context) => {
    const fixture = newFixture(context)
    const [alice, bob] = [await certified(broker, fixture, "alice"), await certified(broker, fixture, "bob")]
    await pair(alice, bob)
    const texts = ["one", "two", "three"]
    for (const text of texts) await bob.runJson("send", "alice", text)
    const { code, output } = await alice.run(["doctor", "--json"])
    const checks = ["login", "mqtt", "round-trip", "largest", "offline"]
    const found = output.filter(({ check }) => checks.includes(String(check)))
    expect(found.map(({ check, result }) => [check, result])).toEqual(checks.map((check) => [check, "good"]))
    expect(code).toBe(0)
    expect(await alice.receiveTexts(...texts)).toEqual(texts)
  })
})
