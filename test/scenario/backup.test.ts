import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test, type TestContext, vi } from "vitest"
import { pinOf } from "../../src/broker/certificates.ts"
import { IMPORT_POINTS } from "../../src/cli/profile/import.ts"
import { toHex } from "../../src/crypto/bytes.ts"
import { mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { invitationFor, refusalOf, register } from "./membership.ts"
import { isMessage, neighbours, pair, type Person, settle, startBroker, Story } from "./people.ts"

// Many real processes share two cores with other tests: a ceiling, no verdict on speed.
vi.setConfig({ testTimeout: 180_000 })

function newStory({ onTestFinished }: TestContext): Story {
  const story = new Story()
  onTestFinished(story.end)
  return story
}

/** A file with the passphrase of all backups of a story. */
function passphraseIn({ folder }: Story): string {
  const path = join(folder, "passphrase")
  writeFileSync(path, "one file and one passphrase\n", { mode: 0o600 })
  return path
}

/** Another machine of somebody. */
function machine(story: Story, of: Person, name: string): Person {
  return story.person(of.name, join(story.folder, name))
}

async function backUp(story: Story, who: Person): Promise<readonly [string, ...string[]]> {
  const file = join(story.folder, `${who.name}.backup`)
  await who.tell("export", file, "--backup-passphrase-file", passphraseIn(story))
  return [file, "--passphrase-file", passphraseIn(story), "--no-passphrase"]
}

async function textsOf(who: Person, peer: Person): Promise<readonly unknown[]> {
  const said = await who.tell("history", peer.name)
  return said.filter(({ kind }) => kind === "text").map(({ text }) => text)
}

/** Runs the program, which is "$@", in a line of shell. */
function shell(line: string): readonly string[] {
  return ["sh", "-c", line, "sh"]
}

async function failure(
  who: Person,
  ...args: readonly string[]
): Promise<{ code: unknown; message: unknown }> {
  const { code, stderr } = await who.run([...args, "--json"])
  expect(code).not.toBe(0)
  const { code: fault, message } = JSON.parse(stderr.trim().split("\n").at(-1) ?? "") as {
    code: unknown
    message: unknown
  }
  return { code: fault, message }
}

describe("Alice moves to a new laptop", () => {
  test("with one file: conversations go on, what waited arrives once, and the old one is told", async (context) => {
    const story = newStory(context)
    const [carol, alice, bob] = [story.person("carol"), story.person("alice"), story.person("bob")]
    await settle(carol)
    const broker = await startBroker(carol)
    await register(alice, await invitationFor(carol, "alice"))
    await register(bob, await invitationFor(carol, "bob"))
    await pair(alice, bob)
    await bob.tell("send", "alice", "hello alice")
    await alice.receives("hello alice")
    const owner = alice.start(["inbox", "--follow", "--json"])
    await alice.tell("send", "bob", "waits at the broker")
    await broker.stop()
    await alice.tell("send", "bob", "waits at home", "--no-wait")
    const [file, ...flags] = await backUp(story, alice)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    await owner.stop()
    await startBroker(carol, "again")

    const laptop = machine(story, alice, "laptop")
    expect(await laptop.tell("import", file, ...flags)).toMatchObject([
      { schema: "mqttchat/profile/1", name: "alice" },
      { contacts: 1, messages: 3 },
    ])
    const arrived = await bob.receives("waits at the broker", "waits at home")
    expect(arrived.filter((text) => String(text).startsWith("waits"))).toHaveLength(2)
    await laptop.tell("send", "bob", "from the new one")
    await bob.receives("from the new one")
    await bob.tell("send", "alice", "I see no difference")
    await laptop.receives("I see no difference")
    const talk = [
      "hello alice",
      "waits at the broker",
      "waits at home",
      "from the new one",
      "I see no difference",
    ]
    expect(await textsOf(bob, alice)).toEqual(talk)
    expect(await textsOf(laptop, bob)).toEqual(talk)

    const day = new Date().toISOString().slice(0, 10)
    const told = `this device was replaced on ${day} by another of yours`
    expect(await refusalOf(alice)).toBe(told)
    expect(await failure(alice, "send", "bob", "from the drawer")).toEqual({
      code: "replaced",
      message: `not sent: ${told}`,
    })
    expect(await textsOf(alice, bob)).toEqual(talk.slice(0, 3))
    const devices = await carol.tell("broker", "devices")
    const hers = devices.filter(({ user }) => user === "alice")
    expect(hers).toMatchObject([{ replacedBy: hers[1]?.["device"] }, { revokedAt: null, replacedBy: null }])
  })

  test("while her old one is online: it is cut off at once", async (context) => {
    const story = newStory(context)
    const { alice, bob } = await neighbours(story)
    const import_ = await backUp(story, bob)
    const old = bob.start(["chat", "alice", "--json"])
    const laptop = machine(story, bob, "laptop")
    await laptop.tell("import", ...import_)
    old.endInput()
    expect(await refusalOf(bob)).toContain("was replaced")
    await laptop.tell("send", "alice", "now from here")
    await alice.receives("now from here")
  })

  test("twice at once: the later one wins, and the other is told", async (context) => {
    const story = newStory(context)
    const { alice, bob } = await neighbours(story)
    const import_ = await backUp(story, bob)
    const [first, second] = [machine(story, bob, "first"), machine(story, bob, "second")]
    await first.tell("import", ...import_)
    await first.tell("send", "alice", "from the first")
    await alice.receives("from the first")
    await second.tell("import", ...import_)
    await second.tell("send", "alice", "from the second")
    await alice.receives("from the second")
    expect(await failure(first, "send", "alice", "am I late?")).toMatchObject({ code: "replaced" })
    await alice.tell("send", "bob", "to the second")
    await second.receives("to the second")
    expect(await textsOf(alice, bob)).toEqual(["from the first", "from the second", "to the second"])
  })

  test("through pipes, and her keys have the passphrase of the backup", async (context) => {
    const story = newStory(context)
    const { bob } = await neighbours(story)
    const given = ["--passphrase-file", passphraseIn(story)]
    const env = { PIPED: join(story.folder, "piped") }
    const saved = await bob.run(["export", "-", ...given], { env, under: shell('"$@" | cat >"$PIPED"') })
    expect(saved.stderr).toContain("saved: 1 contact, 0 messages")
    const laptop = machine(story, bob, "laptop")
    const under = shell('cat "$PIPED" | "$@"')
    expect((await laptop.run(["import", "-"], { env, under })).stderr).toContain("--passphrase-file")
    expect(await laptop.run(["import", "-", ...given], { env, under })).toMatchObject({ code: 0 })
    expect(await failure(laptop, "contacts")).toMatchObject({ code: "usage" })
    expect(await laptop.tell("contacts", ...given)).toMatchObject([{ name: "alice" }])
    expect(readdirSync(join(bob.home, "default")).filter((name) => name.includes("export"))).toEqual([])
  })
})

describe("an import", () => {
  test("that is killed anywhere leaves nothing, or a profile that goes on by itself", async (context) => {
    const story = newStory(context)
    const { alice, bob } = await neighbours(story)
    const import_ = await backUp(story, bob)
    for (const point of IMPORT_POINTS) {
      const laptop = machine(story, bob, point)
      const env = { MQTTCHAT_DIE_AT: point }
      const { signal, stderr } = await laptop.run(["import", ...import_], { env })
      expect(signal, `never reached ${point}: ${stderr}`).toBe("SIGKILL")
      if (point === "import-made") {
        expect(await failure(laptop, "import", ...import_)).toMatchObject({ code: "exists" })
      } else {
        expect(await failure(laptop, "contacts")).toMatchObject({ code: "no-profile" })
        await laptop.tell("import", ...import_)
      }
      await laptop.tell("send", "alice", `after ${point}`)
      await alice.receives(`after ${point}`)
    }
    expect(await textsOf(alice, bob)).toEqual(IMPORT_POINTS.map((point) => `after ${point}`))
  })

  test("changes nothing where the file is damaged, cut off or none of ours, or the passphrase is wrong", async (context) => {
    const story = newStory(context)
    const { bob } = await neighbours(story)
    const [file, ...flags] = await backUp(story, bob)
    const whole = readFileSync(file)
    const [other, nothing] = [join(story.folder, "other"), join(story.folder, "nothing")]
    const laptop = machine(story, bob, "laptop")
    for (const [what, bytes] of [
      ["damaged at the beginning", whole.fill(whole[20]! ^ 1, 20, 21)],
      ["damaged at the end", Buffer.concat([readFileSync(file).subarray(0, -1), Buffer.from([7])])],
      ["cut off", readFileSync(file).subarray(0, 1_000)],
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

test("an export writes over nothing, makes no folder, and is never without a passphrase", async (context) => {
  const story = newStory(context)
  const { bob } = await neighbours(story)
  const [file] = await backUp(story, bob)
  const given = ["--backup-passphrase-file", passphraseIn(story)]
  expect(await failure(bob, "export", file, ...given)).toMatchObject({ code: "exists" })
  const elsewhere = join(story.folder, "elsewhere", "bob.backup")
  expect(await failure(bob, "export", elsewhere, ...given)).toMatchObject({ code: "not-found" })
  const empty = join(story.folder, "empty")
  writeFileSync(empty, "\n")
  const open = join(story.folder, "open.backup")
  expect(await failure(bob, "export", open, "--backup-passphrase-file", empty)).toMatchObject({
    code: "usage",
  })
  expect(await failure(bob, "export", open)).toMatchObject({ code: "usage" })
  expect(existsSync(elsewhere) || existsSync(open)).toBe(false)
})

describe.skipIf(mosquittoIsMissing())("at somebody else's broker, which knows only accounts", () => {
  test("the peer tells the old laptop", async (context) => {
    const story = newStory(context)
    const broker = await startMosquitto("accounts")
    context.onTestFinished(broker.close)
    const pin = toHex(pinOf(broker.authority.caCertificate))
    const [alice, bob] = [story.person("alice"), story.person("bob")]
    for (const [who, word] of [
      [alice, "correct"],
      [bob, "horse"],
    ] as const) {
      const password = join(who.home, "password")
      writeFileSync(password, `${word}\n`, { mode: 0o600 })
      const account = ["--username", who.name, "--password-file", password]
      const place = ["--broker", `127.0.0.1:${String(broker.port)}`, "--pin", pin]
      await who.tell("init", "--name", who.name, "--no-passphrase", ...place, ...account)
    }
    await pair(alice, bob)
    await alice.tell("send", "bob", "hello bob")
    await bob.receives("hello bob")
    const import_ = await backUp(story, alice)
    const laptop = machine(story, alice, "laptop")
    await laptop.tell("import", ...import_)
    await laptop.tell("send", "bob", "from the new one")
    await bob.receives("from the new one")
    await bob.tell("send", "alice", "heard")
    await laptop.receives("heard")

    await alice.tell("send", "bob", "from the drawer")
    await bob.inbox()
    const old = alice.start(["inbox", "--follow", "--json"])
    await old.hears(
      isMessage("bob talks with you on another device of yours now; nothing more is sent from here"),
    )
    await old.stop()
    expect(await failure(alice, "send", "bob", "and again")).toMatchObject({ code: "refused" })
    expect(await textsOf(bob, alice)).toEqual(["hello bob", "from the new one", "heard"])
  })
})
