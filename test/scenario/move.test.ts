import { copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { createServer, connect, type Server } from "node:net"
import { once } from "node:events"
import { join } from "node:path"
import { describe, expect, test, type TestContext } from "vitest"
import { formatInvitationLink, parseInvitationLink } from "../../src/wire/invitation-link.ts"
import { setPort } from "../cli/cli-fixture.ts"
import { invitationFor, refusalOf, register } from "./membership.ts"
import {
  initHost,
  pairedUsers,
  QUICK_LOCKS,
  schemaIs,
  startBroker,
  ScenarioFixture,
  type JsonProcess,
  type User,
} from "./scenario-fixture.ts"

const PASSPHRASE = "one file and one passphrase"

/** The name that devices know leads to another machine later. */
class Address {
  readonly #server: Server
  target = 0

  constructor() {
    this.#server = createServer((socket) => {
      const onward = connect(this.target, "127.0.0.1")
      for (const end of [socket, onward])
        end.on("error", () => {
          socket.destroy()
          onward.destroy()
        })
      socket.pipe(onward).pipe(socket)
    })
  }

  async open(): Promise<number> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening")
    const address = this.#server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }

  close(): void {
    this.#server.close()
  }
}

function newFixture({ onTestFinished }: TestContext): ScenarioFixture {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  return fixture
}

async function portOf(broker: JsonProcess): Promise<number> {
  return Number((await broker.waitForOutput(schemaIs("broker")))["port"])
}

function passphraseFile(fixture: ScenarioFixture, text = PASSPHRASE): string {
  const path = join(fixture.folder, `passphrase-${text.length}`)
  writeFileSync(path, `${text}\n`, { mode: 0o600 })
  return path
}

async function stop(broker: JsonProcess): Promise<void> {
  broker.kill("SIGTERM")
  await broker.finished()
}

/** A member at the broker of `host`, which they know by the address at `port`. */
async function member(fixture: ScenarioFixture, host: User, name: string, port: number): Promise<User> {
  const user = fixture.user(name)
  await register(user, at(await invitationFor(host, name), port))
  return user
}

/** The invitation with another port. */
function at(invitation: string, port: number): string {
  const link = parseInvitationLink(invitation)
  if (link === undefined) throw new Error("no invitation")
  return formatInvitationLink({ ...link, address: { ...link.address, port } })
}

async function exchange(from: User, to: User, text: string): Promise<void> {
  await from.runJson("send", to.name, text)
  expect(await to.receiveTexts(text)).toContain(text)
}

async function pair(one: User, other: User, port: number): Promise<void> {
  const offer = one.start(["pair", "--json", "--no-qr"])
  const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
  await other.runJson("pair", String(carrier).replace(/:\d+$/, `:${port}`))
  await offer.finished()
}

async function ledgerFinding(user: User): Promise<unknown> {
  const { output } = await user.run(["doctor", "--json"])
  return output.filter(schemaIs("finding")).find(({ check }) => check === "ledger")?.["result"]
}

describe.concurrent("a broker moves to another machine", () => {
  test("with everyone who is at it: who is in goes on, who is out stays out, and the old one is noticed", async (context) => {
    const fixture = newFixture(context)
    const address = new Address()
    context.onTestFinished(() => address.close())
    const port = await address.open()
    const host = fixture.user("host")
    await initHost(host)
    const old = await startBroker(host)
    address.target = await portOf(old)
    const alice = await member(fixture, host, "alice", port)
    const bob = await member(fixture, host, "bob", port)
    const carol = await member(fixture, host, "carol", port)
    await pair(alice, bob, port)
    await exchange(alice, bob, "at the old one")
    await host.runJson("broker", "revoke", "carol")
    const forDave = at(await invitationFor(host, "dave"), port)
    await alice.runJson("send", "bob", "waits in a queue")

    const file = join(fixture.folder, "broker.export")
    const given = ["--passphrase-file", passphraseFile(fixture)]
    await host.runJson("broker", "export", file, "--queues", ...given)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    await stop(old)

    const server = fixture.user("server")
    const [imported] = await server.runJson("broker", "import", file, ...given)
    expect(imported).toMatchObject({ users: 5 })
    expect(Number(imported?.["messages"])).toBeGreaterThan(0)
    const next = await startBroker(server)
    address.target = await portOf(next)

    expect(await bob.receiveTexts("waits in a queue")).toContain("waits in a queue")
    await exchange(bob, alice, "at the new one")
    expect(await refusalOf(carol)).toMatch(/shut out|does not accept/)
    const dave = fixture.user("dave")
    await register(dave, forDave)
    const mallory = await fixture.user("mallory").run(["register", forDave, "--no-passphrase", "--name", "m"])
    expect([mallory.code, mallory.stderr]).toEqual([77, expect.stringContaining("used already")])
    expect(await ledgerFinding(alice)).toBe("good")

    const again = await startBroker(host, "again")
    address.target = await portOf(again)
    expect(await ledgerFinding(alice)).toBe("bad")
    address.target = await portOf(next)
    expect(await ledgerFinding(alice), "the right one is back, and the other one is not forgotten").toBe(
      "weak",
    )
  })

  test("and nothing is overwritten, half written, or taken for what it is not", async (context) => {
    const fixture = newFixture(context)
    const { alice, bob, broker } = await pairedUsers(fixture)
    const given = ["--passphrase-file", passphraseFile(fixture)]
    const file = join(fixture.folder, "broker.export")
    const backup = join(fixture.folder, "alice.backup")
    await alice.runJsonWith(QUICK_LOCKS, "broker", "export", file, ...given)
    await alice.runJsonWith(QUICK_LOCKS, "export", backup, ...given)
    expect(await alice.run(["broker", "export", file, ...given])).toMatchObject({ code: 73 })
    expect(await alice.run(["broker", "export", `${file}2`])).toMatchObject({ code: 64 })
    expect(existsSync(`${file}2`)).toBe(false)

    const running = await alice.run(["broker", "import", file, "--replace", ...given])
    expect([running.code, running.stderr]).toEqual([73, expect.stringContaining("is running already")])
    await stop(broker)
    const taken = await alice.run(["broker", "import", file, ...given])
    expect([taken.code, taken.stderr]).toEqual([73, expect.stringContaining("--replace")])

    const bytes = readFileSync(file)
    const damaged = Buffer.from(bytes)
    damaged[bytes.length - 20]! ^= 1
    const cases: readonly (readonly [string, Uint8Array, number, string])[] = [
      ["cut", bytes.subarray(0, bytes.length - 1), 65, "is damaged or was cut off; nothing was imported"],
      ["short", bytes.subarray(0, 50), 65, "is not an export of a broker"],
      ["damaged", damaged, 65, "is damaged or was cut off; nothing was imported"],
      ["backup", readFileSync(backup), 65, "is a backup, not an export of a broker"],
      ["empty", new Uint8Array(), 65, "is not an export of a broker"],
    ]
    const server = fixture.user("server")
    for (const [name, contents, code, words] of cases) {
      const path = join(fixture.folder, name)
      writeFileSync(path, contents)
      const refused = await server.run(["broker", "import", path, ...given])
      expect([refused.code, refused.stderr], name).toEqual([code, expect.stringContaining(words)])
    }
    const wrong = ["--passphrase-file", passphraseFile(fixture, "another one")]
    expect(await server.run(["broker", "import", file, ...wrong])).toMatchObject({ code: 77 })
    const asBackup = await bob.run(["--profile", "new", "import", file, ...given])
    expect([asBackup.code, asBackup.stderr]).toEqual([
      65,
      expect.stringMatching(/an export of a broker, not a backup[^]* broker import FILE/),
    ])
    expect(readdirSync(server.file("")).filter((name) => name.startsWith("broker"))).toEqual([])

    copyFileSync(file, join(fixture.folder, "good"))
    await server.runJson("broker", "import", join(fixture.folder, "good"), ...given, "--no-passphrase")
    const [replaced] = await server.runJson("broker", "import", file, "--replace", ...given)
    expect(existsSync(String(replaced?.["kept"]))).toBe(true)
    const next = await startBroker(server)
    setPort(bob.file(""), await portOf(next))
    expect(await bob.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
  })
})
