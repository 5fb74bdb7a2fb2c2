import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test, type TestContext } from "vitest"
import { pinOf } from "../../src/broker/certificates.ts"
import { IMPORT_POINTS } from "../../src/cli/profile/failpoint.ts"
import { toHex } from "../../src/crypto/bytes.ts"
import { mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { invitationFor, refusalOf, register } from "./membership.ts"
import {
  crashAt,
  isMessage,
  pairedUsers,
  pair,
  QUICK_LOCKS,
  type User,
  initHost,
  startBroker,
  ScenarioFixture,
} from "./scenario-fixture.ts"

function newFixture({ onTestFinished }: TestContext): ScenarioFixture {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  return fixture
}

/** A file with the passphrase of all backups of a test. */
function passphraseIn({ folder }: ScenarioFixture): string {
  const path = join(folder, "passphrase")
  writeFileSync(path, "one file and one passphrase\n", { mode: 0o600 })
  return path
}

/** Another machine of a user. */
function machine(fixture: ScenarioFixture, of: User, name: string): User {
  return fixture.user(of.name, join(fixture.folder, name))
}

async function backUp(fixture: ScenarioFixture, who: User): Promise<readonly [string, ...string[]]> {
  const file = join(fixture.folder, `${who.name}.backup`)
  await who.runJsonWith(QUICK_LOCKS, "export", file, "--backup-passphrase-file", passphraseIn(fixture))
  return [file, "--passphrase-file", passphraseIn(fixture), "--no-passphrase"]
}

async function textsOf(who: User, peer: User): Promise<readonly unknown[]> {
  const output = await who.runJson("history", peer.name)
  return output.filter(({ kind }) => kind === "text").map(({ text }) => text)
}

/** Runs a line of shell, where "$@" is the program. */
function shell(line: string): readonly string[] {
  return ["sh", "-c", line, "sh"]
}

async function failure(who: User, ...args: readonly string[]): Promise<{ code: unknown; message: unknown }> {
  const { code, stderr } = await who.run([...args, "--json"])
  expect(code).not.toBe(0)
  const { code: fault, message } = JSON.parse(stderr.trim().split("\n").at(-1) ?? "") as {
    code: unknown
    message: unknown
  }
  return { code: fault, message }
}

describe("Alice moves to a new laptop", () => {
  test("with one file: conversations go on, waiting texts arrive once, and the old laptop is notified", async (context) => {
    const fixture = newFixture(context)
    const [carol, alice, bob] = [fixture.user("carol"), fixture.user("alice"), fixture.user("bob")]
    await initHost(carol)
    const broker = await startBroker(carol)
    await register(alice, await invitationFor(carol, "alice"))
    await register(bob, await invitationFor(carol, "bob"))
    await pair(alice, bob)
    await bob.runJson("send", "alice", "hello alice")
    await alice.receiveTexts("hello alice")
    const owner = alice.start(["inbox", "--follow", "--json"])
    await alice.runJson("send", "bob", "waits at the broker")
    await broker.stop()
    await alice.runJson("send", "bob", "waits at home", "--no-wait")
    const [file, ...flags] = await backUp(fixture, alice)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    await owner.stop()
    await startBroker(carol, "again")

    const laptop = machine(fixture, alice, "laptop")
    const began = new Date()
    expect(await laptop.runJson("import", file, ...flags)).toMatchObject([
      { schema: "mqttchat/profile/1", name: "alice" },
      { contacts: 1, messages: 3 },
    ])
    const arrived = await bob.receiveTexts("waits at the broker", "waits at home")
    expect(arrived.filter((text) => String(text).startsWith("waits"))).toHaveLength(2)
    await laptop.runJson("send", "bob", "from the new one")
    await bob.receiveTexts("from the new one")
    await bob.runJson("send", "alice", "I see no difference")
    await laptop.receiveTexts("I see no difference")
    const texts = [
      "hello alice",
      "waits at the broker",
      "waits at home",
      "from the new one",
      "I see no difference",
    ]
    expect(await textsOf(bob, alice)).toEqual(texts)
    expect(await textsOf(laptop, bob)).toEqual(texts)

    const reason = await refusalOf(alice)
    // Midnight may have passed since.
    const days = [began, new Date()].map((at) => at.toISOString().slice(0, 10))
    expect(days.map((day) => `this device was replaced on ${day} by another of yours`)).toContain(reason)
    expect(await failure(alice, "send", "bob", "from the drawer")).toEqual({
      code: "replaced",
      message: `not sent: ${reason}`,
    })
    expect(await textsOf(alice, bob)).toEqual(texts.slice(0, 3))
    const devices = await carol.runJson("broker", "devices")
    const hers = devices.filter(({ user }) => user === "alice")
    expect(hers).toMatchObject([{ replacedBy: hers[1]?.["device"] }, { revokedAt: null, replacedBy: null }])
  })

  test("while her old one is online: it is disconnected at once", async (context) => {
    const fixture = newFixture(context)
    const { alice, bob } = await pairedUsers(fixture)
    const import_ = await backUp(fixture, bob)
    const old = bob.start(["chat", "alice", "--json"])
    const laptop = machine(fixture, bob, "laptop")
    await laptop.runJson("import", ...import_)
    old.endInput()
    expect(await refusalOf(bob)).toContain("was replaced")
    await laptop.runJson("send", "alice", "now from here")
    await alice.receiveTexts("now from here")
  })

  test("twice at once: the later one wins, and the other is notified", async (context) => {
    const fixture = newFixture(context)
    const { alice, bob } = await pairedUsers(fixture)
    const import_ = await backUp(fixture, bob)
    const [first, second] = [machine(fixture, bob, "first"), machine(fixture, bob, "second")]
    await first.runJson("import", ...import_)
    await first.runJson("send", "alice", "from the first")
    await alice.receiveTexts("from the first")
    await second.runJson("import", ...import_)
    await second.runJson("send", "alice", "from the second")
    await alice.receiveTexts("from the second")
    expect(await failure(first, "send", "alice", "am I late?")).toMatchObject({ code: "replaced" })
    await alice.runJson("send", "bob", "to the second")
    await second.receiveTexts("to the second")
    expect(await textsOf(alice, bob)).toEqual(["from the first", "from the second", "to the second"])
  })

  test("through pipes, and her keys get the passphrase of the backup", async (context) => {
    const fixture = newFixture(context)
    const { bob } = await pairedUsers(fixture)
    const given = ["--passphrase-file", passphraseIn(fixture)]
    const env = { PIPED: join(fixture.folder, "piped") }
    const saved = await bob.run(["export", "-", ...given], { env, wrapper: shell('"$@" | cat >"$PIPED"') })
    expect(saved.stderr).toContain("saved: 1 contact, 0 messages")
    const laptop = machine(fixture, bob, "laptop")
    const wrapper = shell('cat "$PIPED" | "$@"')
    expect((await laptop.run(["import", "-"], { env, wrapper })).stderr).toContain("--passphrase-file")
    expect(await laptop.run(["import", "-", ...given], { env, wrapper })).toMatchObject({ code: 0 })
    expect(await failure(laptop, "contacts")).toMatchObject({ code: "usage" })
    expect(await laptop.runJson("contacts", ...given)).toMatchObject([{ name: "alice" }])
    expect(readdirSync(join(bob.home, "default")).filter((name) => name.includes("export"))).toEqual([])
  })
})

describe("an import", () => {
  test("that is killed at any moment leaves nothing, or a profile that goes on by itself", async (context) => {
    const fixture = newFixture(context)
    const { alice, bob } = await pairedUsers(fixture)
    const import_ = await backUp(fixture, bob)
    for (const point of IMPORT_POINTS) {
      const laptop = machine(fixture, bob, point)
      const { signal, stderr } = await laptop.run(["import", ...import_], crashAt(point))
      expect(signal, `never reached ${point}: ${stderr}`).toBe("SIGKILL")
      if (point === "import-made") {
        expect(await failure(laptop, "import", ...import_)).toMatchObject({ code: "exists" })
      } else {
        expect(await failure(laptop, "contacts")).toMatchObject({ code: "no-profile" })
        await laptop.runJson("import", ...import_)
      }
      await laptop.runJson("send", "alice", `after ${point}`)
      await alice.receiveTexts(`after ${point}`)
    }
    expect(await textsOf(alice, bob)).toEqual(IMPORT_POINTS.map((point) => `after ${point}`))
  })

  test("changes nothing if the file is damaged, truncated or not a backup, or the passphrase is wrong", async (context) => {
    const fixture = newFixture(context)
    const { bob } = await pairedUsers(fixture)
    const [file, ...flags] = await backUp(fixture, bob)
    const whole = readFileSync(file)
    const [other, nothing] = [join(fixture.folder, "other"), join(fixture.folder, "nothing")]
    const laptop = machine(fixture, bob, "laptop")
    for (const [what, bytes] of [
      ["damaged at the beginning", Buffer.from(whole).fill(whole[20]! ^ 1, 20, 21)],
      ["damaged at the end", Buffer.concat([whole.subarray(0, -1), Buffer.from([whole.at(-1)! ^ 1])])],
      ["cut off", whole.subarray(0, 1_000)],
      ["empty", Buffer.alloc(0)],
      ["the keys of a profile", readFileSync(bob.file("identity.key"))],
    ] as const) {
      writeFileSync(other, bytes)
      expect(await failure(laptop, "import", other, ...flags), what).toMatchObject({ code: "bad-data" })
    }
    writeFileSync(other, "one file and another passphrase\n")
    expect(await failure(laptop, "import", file, "--passphrase-file", other)).toMatchObject({
      code: "refused",
    })
    expect(await failure(laptop, "import", nothing, ...flags)).toMatchObject({ code: "not-found" })
    expect(await failure(laptop, "contacts")).toMatchObject({ code: "no-profile" })
    const left = readdirSync(laptop.home, { recursive: true }).map(String)
    expect(left.filter((name) => /messages|settings|identity/.test(name))).toEqual([])
    expect(await failure(bob, "import", file, ...flags)).toMatchObject({ code: "exists" })
  })
})

test("an export overwrites nothing, makes no folder, and always has a passphrase", async (context) => {
  const fixture = newFixture(context)
  const { bob } = await pairedUsers(fixture)
  const [file] = await backUp(fixture, bob)
  const given = ["--backup-passphrase-file", passphraseIn(fixture)]
  expect(await failure(bob, "export", file, ...given)).toMatchObject({ code: "exists" })
  const elsewhere = join(fixture.folder, "elsewhere", "bob.backup")
  expect(await failure(bob, "export", elsewhere, ...given)).toMatchObject({ code: "not-found" })
  const empty = join(fixture.folder, "empty")
  writeFileSync(empty, "\n")
  const open = join(fixture.folder, "open.backup")
  expect(await failure(bob, "export", open, "--backup-passphrase-file", empty)).toMatchObject({
    code: "usage",
  })
  expect(await failure(bob, "export", open)).toMatchObject({ code: "usage" })
  expect(existsSync(elsewhere) || existsSync(open)).toBe(false)
})

describe.skipIf(mosquittoIsMissing())("at an external broker, which knows only accounts", () => {
  test("the peer notifies the old laptop", async (context) => {
    const fixture = newFixture(context)
    const broker = await startMosquitto("accounts")
    context.onTestFinished(broker.close)
    const pin = toHex(pinOf(broker.authority.caCertificate))
    const [alice, bob] = [fixture.user("alice"), fixture.user("bob")]
    for (const [who, word] of [
      [alice, "correct"],
      [bob, "horse"],
    ] as const) {
      const password = join(who.home, "password")
      writeFileSync(password, `${word}\n`, { mode: 0o600 })
      const account = ["--username", who.name, "--password-file", password]
      const brokerFlags = ["--broker", `127.0.0.1:${String(broker.port)}`, "--pin", pin]
      await who.runJson("init", "--name", who.name, "--no-passphrase", ...brokerFlags, ...account)
    }
    await pair(alice, bob)
    await alice.runJson("send", "bob", "hello bob")
    await bob.receiveTexts("hello bob")
    const import_ = await backUp(fixture, alice)
    const laptop = machine(fixture, alice, "laptop")
    await laptop.runJson("import", ...import_)
    await laptop.runJson("send", "bob", "from the new one")
    await bob.receiveTexts("from the new one")
    await bob.runJson("send", "alice", "heard")
    await laptop.receiveTexts("heard")

    await alice.runJson("send", "bob", "from the drawer")
    await bob.inbox()
    const old = alice.start(["inbox", "--follow", "--json"])
    await old.waitForOutput(
      isMessage(
        "bob now sends to another device of yours; nothing more is sent from this one. To continue here instead: mqttchat reset bob",
      ),
    )
    await old.stop()
    expect(await failure(alice, "send", "bob", "and again")).toMatchObject({ code: "refused" })
    expect(await textsOf(bob, alice)).toEqual(["hello bob", "from the new one", "heard"])
  })
})
