import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test, type TestContext } from "vitest"
import { pinOf } from "../../src/broker/certificates.ts"
import { toHex } from "../../src/crypto/bytes.ts"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { isMessage, pair, schemaIs, ScenarioFixture, type User } from "./scenario-fixture.ts"

const PASSWORD = { alice: "correct", bob: "horse" } as const
const WITHOUT = "--insecure-transport"

function newFixture({ onTestFinished }: TestContext): ScenarioFixture {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  return fixture
}

function at({ port }: Mosquitto): string {
  return `127.0.0.1:${String(port)}`
}

/** A user with an account at a broker without TLS, who gives the password on stdin. */
async function member(
  broker: Mosquitto,
  fixture: ScenarioFixture,
  name: keyof typeof PASSWORD,
): Promise<User> {
  const user = fixture.user(name)
  const profile = ["--name", name, "--no-passphrase", "--broker", at(broker), WITHOUT]
  const init = user.start(["init", ...profile, "--username", name, "--password-file", "-"])
  init.type(`${PASSWORD[name]}\n`)
  init.endInput()
  const { code, stderr } = await init.ended()
  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(stderr).toContain("open to the network")
  return user
}

/** Everything in the user's folder that was written in clear. */
function contents(folder: string): string {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
  return names
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))
    .join("\n")
}

describe.skipIf(mosquittoIsMissing())("on a Mosquitto without TLS, with accounts and no access list", () => {
  let broker: Mosquitto
  beforeAll(async () => {
    broker = await startMosquitto("plain")
  })
  afterAll(() => broker.close())

  test("two people pair by code and write both ways, also through a daemon and after a restart", async (context) => {
    const fixture = newFixture(context)
    const [alice, bob] = [await member(broker, fixture, "alice"), await member(broker, fixture, "bob")]
    expect(await pair(alice, bob)).toHaveLength(4)
    await alice.runJson("send", "bob", "one")
    await bob.receiveTexts("one")
    const daemon = bob.start(["daemon"])
    await daemon.prints(/daemon running/)
    await bob.runJson("send", "alice", "two", "--wait", "broker")
    await alice.receiveTexts("two")
    await broker.restart("SIGTERM")
    const follower = bob.start(["inbox", "--follow", "--json"])
    await alice.runJson("send", "bob", "three", "--wait", "broker", "--timeout", "60s")
    await follower.waitForOutput(isMessage("three"))
  })

  test("status and doctor say what is open, and nothing holds the password in clear", async (context) => {
    const alice = await member(broker, newFixture(context), "alice")
    const status = await alice.run(["status"])
    expect(status.stdout).toContain(`${at(broker)}, without TLS: who talks when is open to the network`)
    expect(await alice.runJson("status")).toMatchObject([
      { insecureTransport: true, connection: { kind: "online" } },
    ])
    const doctor = await alice.run(["doctor", "--json"])
    const tls = doctor.output.find((row) => schemaIs("finding")(row) && row["check"] === "tls")
    expect(tls).toMatchObject({ result: "weak" })
    expect(String(tls?.["found"])).toContain("the broker's password")
    expect(doctor.output.find(({ check }) => check === "login")).toMatchObject({ result: "good" })
    expect(contents(alice.home)).not.toContain(PASSWORD.alice)
  })

  test("a wrong password is refused, and said", async (context) => {
    const alice = newFixture(context).user("alice")
    const password = join(alice.home, "password")
    writeFileSync(password, "wrong\n", { mode: 0o600 })
    const account = ["--username", "alice", "--password-file", password]
    await alice.run(["init", "--name", "a", "--no-passphrase", "--broker", at(broker), WITHOUT, ...account])
    const { stdout } = await alice.run(["status"])
    expect(stdout).toContain("user name or password")
  })

  test("without the words nothing is sent in clear, and the words are named", async (context) => {
    const bob = newFixture(context).user("bob")
    const typed = ["pair", `7-crowd-river@${at(broker)}`, "--my-name", "bob", "--no-passphrase"]
    const before = broker.log.length
    const { code, stderr } = await bob.run(typed)
    expect(code).toBe(69)
    expect(stderr).toContain("mqttchat pair --insecure-transport CODE@HOST:PORT")
    expect(broker.log.slice(before).filter((line) => line.includes("New client connected"))).toEqual([])
  })
})

describe.skipIf(mosquittoIsMissing())("on a Mosquitto without TLS that takes anyone", () => {
  let broker: Mosquitto
  beforeAll(async () => {
    broker = await startMosquitto("anonymous")
  })
  afterAll(() => broker.close())

  const init = (user: User) =>
    user.runJson("init", "--name", user.name, "--no-passphrase", "--broker", at(broker), WITHOUT)

  test("a newcomer types the printed command, pairs and writes", async (context) => {
    const fixture = newFixture(context)
    const [alice, bob] = [fixture.user("alice"), fixture.user("bob")]
    await init(alice)
    const offer = alice.start(["pair"])
    const [, typed = ""] = await offer.prints(/^ +mqttchat (pair --insecure-transport \S+)$/m)
    expect(typed).toContain(`@${at(broker)}`)
    await bob.runJson(...typed.split(" "), "--my-name", "bob", "--no-passphrase")
    await bob.runJson("send", "alice", "in clear only for the network")
    await offer.finished()
    await alice.receiveTexts("in clear only for the network")
    expect(await bob.runJson("status")).toMatchObject([{ broker: at(broker), insecureTransport: true }])
  })

  test("a code of such a broker, typed without the words, leaves no trace, and then pairs with them", async (context) => {
    const fixture = newFixture(context)
    const [alice, bob] = [fixture.user("alice"), fixture.user("bob")]
    await init(alice)
    const offer = alice.start(["pair", "--json", "--no-qr"])
    const { offer: code } = await offer.waitForOutput(schemaIs("offer"))
    const typed = ["pair", String(code), "--my-name", "bob", "--no-passphrase"]
    expect((await bob.run(typed)).stderr).toContain(WITHOUT)
    expect(await bob.runJson("contacts")).toEqual([])
    expect((await bob.run(["status", "--json"])).output).toMatchObject([{ broker: null }])
    await bob.runJson(...typed, WITHOUT)
    await offer.finished()
  })

  test("a link and a file of such a broker, too, are refused without the words, before a profile is made", async (context) => {
    const fixture = newFixture(context)
    const [alice, bob] = [fixture.user("alice"), fixture.user("bob")]
    await init(alice)
    const file = join(fixture.folder, "bundle")
    await alice.run(["pair", "--file", file])
    const link = alice.start(["pair", "--link", "--json", "--no-qr"])
    const { offer } = await link.waitForOutput(schemaIs("offer"))
    for (const carrier of [String(offer), file]) {
      const { code, stderr } = await bob.run(["pair", carrier, "--my-name", "bob", "--no-passphrase"])
      expect({ code }).toEqual({ code: 77 })
      expect(stderr).toContain("mqttchat pair --insecure-transport OFFER")
      expect(() => readFileSync(bob.file("identity.key"))).toThrow()
    }
    await init(bob)
    await bob.runJson("pair", String(offer), WITHOUT)
    await link.finished()
  })
})

describe.skipIf(mosquittoIsMissing())("the words for no TLS", () => {
  let broker: Mosquitto
  let plain: Mosquitto
  beforeAll(async () => {
    ;[broker, plain] = await Promise.all([startMosquitto("open"), startMosquitto("plain")])
  })
  afterAll(() => Promise.all([broker, plain].map((one) => one.close())))

  const pinOfBroker = () => ["--pin", toHex(pinOf(broker.authority.caCertificate))]
  const isOnline = async (user: User, insecureTransport: boolean) =>
    expect(await user.runJson("status")).toMatchObject([
      { insecureTransport, connection: { kind: "online" } },
    ])

  test("complete a profile that was made without a broker, and stay when its address changes", async (context) => {
    const alice = newFixture(context).user("alice")
    await alice.runJson("init", "--name", "a", "--no-passphrase", "--broker", "later")
    const password = join(alice.home, "password")
    writeFileSync(password, `${PASSWORD.alice}\n`, { mode: 0o600 })
    const set = ["config", "set", "broker"]
    const account = ["--username", "alice", "--password-file", password]
    const unnamed = await alice.run([...set, at(plain), ...account])
    expect({ code: unnamed.code }).toEqual({ code: 76 })
    expect(unnamed.stderr).toContain(WITHOUT)
    await alice.runJson(...set, at(plain), WITHOUT, ...account)
    await isOnline(alice, true)
    await alice.runJson(...set, at(plain).replace("127.0.0.1", "localhost"))
    await isOnline(alice, true)
  })

  test("are taken back by a pin, and not given to a profile with TLS", async (context) => {
    const alice = newFixture(context).user("alice")
    await alice.runJson("init", "--name", "a", "--no-passphrase", "--broker", at(plain), WITHOUT)
    await alice.runJson("config", "set", "broker", at(broker), ...pinOfBroker())
    await isOnline(alice, false)
    for (const typed of [
      ["config", "set", "broker", at(plain), WITHOUT],
      ["config", "set", "broker", at(broker), WITHOUT, ...pinOfBroker()],
      ["pair", WITHOUT],
      ["pair", `7-crowd-river@${at(plain)}`, WITHOUT],
      ["register", `7-crowd-river@${at(plain)}`, WITHOUT],
    ]) {
      const { code } = await alice.run(typed)
      expect({ typed, code }).toEqual({ typed, code: 64 })
    }
    await isOnline(alice, false)
  })

  test("contradict a pin, an invitation, `here` and `later`: nothing is made", async (context) => {
    const user = newFixture(context).user("alice")
    const invitation = `mqttchat://broker.example/join#${Buffer.alloc(73).toString("base64url")}`
    for (const typed of [
      ["init", "--broker", at(broker), "--pin", "0".repeat(32), WITHOUT],
      ["init", "--broker", "here", WITHOUT],
      ["init", "--broker", "later", WITHOUT],
      ["init", "--broker", invitation, WITHOUT],
    ]) {
      const { code, stderr } = await user.run([...typed, "--name", "a", "--no-passphrase"])
      expect({ typed, code }).toEqual({ typed, code: 64 })
      expect(stderr).toContain(WITHOUT)
    }
    expect(readdirSync(user.home)).toEqual([])
  })

  test("at a port with TLS fail, and the cause is named", async (context) => {
    const user = newFixture(context).user("alice")
    await user.run(["init", "--name", "a", "--no-passphrase", "--broker", at(broker), WITHOUT])
    const { stdout, stderr } = await user.run(["status"])
    expect(stdout).toContain("ended the connection at the first bytes of MQTT without TLS")
    expect(stderr).toContain("if it has TLS, leave out --insecure-transport")
  })
})
