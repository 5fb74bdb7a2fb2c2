import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test, type TestContext } from "vitest"
import { systemRandom } from "../../src/crypto/random.ts"
import { openKeyFile } from "../../src/keystore/keyfile.ts"
import { Database } from "../../src/store/database.ts"
import { nodeFiles } from "../../src/store/files.ts"
import { userName } from "../../src/os-user.ts"
import { pair, pairedUsers, schemaIs, ScenarioFixture, type User } from "./scenario-fixture.ts"

/** What can become of a file, by what is done to it. */
const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
  deleted: (path) => rmSync(path),
  emptied: (path) => writeFileSync(path, ""),
  "cut off": (path) => {
    const bytes = readFileSync(path)
    writeFileSync(path, bytes.subarray(0, bytes.length / 2))
  },
  garbage: (path) => writeFileSync(path, Buffer.alloc(5_000, 0xa5)),
  "of another shape": (path) => writeFileSync(path, '{"name":7}'),
  "a folder": (path) => {
    rmSync(path, { force: true })
    mkdirSync(path)
  },
}
/** As many as a user would follow. */
const HINTS_MAX = 3

function newFixture({ onTestFinished }: TestContext): ScenarioFixture {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  return fixture
}

async function made(fixture: ScenarioFixture): Promise<User> {
  const alice = fixture.user("alice")
  await alice.runJson("init", "--name", "Alice", "--no-passphrase", "--broker", "later")
  return alice
}

/** What a connection learns by itself is not compared. */
function settingsOf(user: User): unknown {
  const settings = JSON.parse(readFileSync(user.file("settings.json"), "utf8")) as {
    broker?: { trust?: { anchor?: string }; mqttVersion?: number }
  }
  delete settings.broker?.trust?.anchor
  delete settings.broker?.mqttVersion
  return settings
}

function asideOf(user: User, name: string): readonly string[] {
  return readdirSync(user.file("")).filter((each) => each.startsWith(`${name}.`) && each.endsWith(".old"))
}

/** As another version would have written the message store. */
async function changeVersion(user: User, version: number): Promise<void> {
  const { ring } = await openKeyFile(user.file("identity.key"), "", systemRandom)
  const database = await Database.open(user.file("messages.db"), ring.databaseKey, nodeFiles)
  database.execute(`PRAGMA user_version = ${version}`)
  database.close()
}

/** The first command of a hint. */
function hintOf(stderr: string): string {
  return /→ (.+)/.exec(stderr)?.[1] ?? ""
}

describe("settings that are lost", () => {
  test("are made again without the user, and a paired contact gets the next message", async (context) => {
    const { alice, bob } = await pairedUsers(newFixture(context))
    const before = settingsOf(bob)
    await bob.runJson("contacts")
    for (const [name, damage] of Object.entries(DAMAGES)) {
      damage(bob.file("settings.json"))
      const { code, stderr } = await bob.run(["send", "alice", `after they were ${name}`, "--wait", "broker"])
      expect({ name, code }).toEqual({ name, code: 0 })
      expect(stderr).toContain("is made again from the message store")
      expect(settingsOf(bob)).toEqual(before)
    }
    const kept = asideOf(bob, "settings.json")
    expect(kept).toHaveLength(Object.keys(DAMAGES).length - 1)
    expect((await bob.run(["contacts"])).stderr).toBe("")
    await alice.receiveTexts(...Object.keys(DAMAGES).map((name) => `after they were ${name}`))
  })

  test("in each way are found by the doctor, who says how", async (context) => {
    const alice = await made(newFixture(context))
    const settingsFinding = async () => {
      const { output } = await alice.run(["doctor", "--json"])
      return output.find((row) => schemaIs("finding")(row) && row["check"] === "settings")
    }
    for (const [name, damage] of Object.entries(DAMAGES)) {
      damage(alice.file("settings.json"))
      const finding = await settingsFinding()
      expect(finding, name).toMatchObject({ result: "bad" })
      expect(String(finding?.["fix"]), name).toMatch(/^mqttchat status/)
      await alice.runJson("contacts")
      expect(await settingsFinding(), name).toMatchObject({ result: "good" })
      expect(settingsOf(alice), name).toEqual({ name: "Alice", here: false })
    }
  })

  test("and whose store never held a copy still do not keep the user out", async (context) => {
    const alice = await made(newFixture(context))
    rmSync(alice.file("messages.db"))
    rmSync(alice.file("settings.json"))
    await alice.runJson("init", "--new-database")
    const { code, stderr } = await alice.run(["contacts"], { env: { USER: "me: (read)" } })
    expect(code).toBe(0)
    const [settings] = await alice.runJson("config", "get", "name")
    expect(settings?.["value"]).toBe(userName(process.env))
    expect(stderr).toContain(`your name is now ${userName(process.env)}`)
  })

  test("while a daemon runs stay its own, and are written when it saves or starts again", async (context) => {
    const { bob } = await pairedUsers(newFixture(context))
    const before = settingsOf(bob)
    const daemon = bob.start(["daemon"])
    await daemon.prints(/daemon running/)
    rmSync(bob.file("settings.json"))
    expect(await bob.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    await bob.run(["daemon", "stop"])
    await daemon.finished()
    await bob.runJson("status")
    expect(settingsOf(bob)).toEqual(before)
  })

  test("do not keep the user from changing one, nor from reading them", async (context) => {
    const alice = await made(newFixture(context))
    for (const damage of Object.values(DAMAGES)) {
      damage(alice.file("settings.json"))
      expect(await alice.runJson("config", "get", "name")).toMatchObject([{ value: "Alice" }])
      damage(alice.file("settings.json"))
      await alice.runJson("config", "set", "daemon.on-demand", "off")
      expect(settingsOf(alice)).toEqual({ name: "Alice", here: false, onDemand: false })
    }
  })

  test("cannot take a device's certificate to a broker without TLS", async (context) => {
    const { bob } = await pairedUsers(newFixture(context))
    await bob.runJson("contacts")
    const before = settingsOf(bob)
    const path = bob.file("settings.json")
    const { broker, ...rest } = before as { broker: Record<string, unknown> }
    delete broker["registrar"]
    writeFileSync(path, JSON.stringify({ ...rest, broker: { ...broker, trust: { kind: "insecure" } } }))
    const { code, stderr } = await bob.run(["send", "alice", "no"])
    expect(code).toBe(78)
    expect(stderr).toContain("has no TLS")
    execFileSync("sh", ["-c", hintOf(stderr).replace(/, then: .*/, "")])
    expect(await bob.runJson("status")).toMatchObject([
      { insecureTransport: false, connection: { kind: "online" } },
    ])
  })
})

describe("a key file that is lost", () => {
  test("is named, and a new profile keeps the messages, which open when the key is back", async (context) => {
    const alice = await made(newFixture(context))
    const copy = join(alice.home, "copy")
    renameSync(alice.file("identity.key"), copy)
    const messages = readFileSync(alice.file("messages.db"))
    for (const command of [
      ["contacts"],
      ["send", "bob", "hi"],
      ["doctor"],
      ["daemon", "--on-demand", "on"],
    ]) {
      const { code, stderr } = await alice.run(command)
      expect({ command, code }).toEqual({ command, code: 78 })
      expect(stderr).toContain("identity.key is missing")
    }
    writeFileSync(alice.file("settings.json"), "{")
    const { code, stderr } = await alice.run(["init", "--name", "A", "--no-passphrase", "--broker", "later"])
    expect({ code }).toEqual({ code: 0 })
    const [aside = ""] = asideOf(alice, "messages.db")
    expect(stderr).toContain(aside)
    expect(readFileSync(alice.file(aside)).equals(messages)).toBe(true)
    for (const [from, to] of [
      [copy, alice.file("identity.key")],
      [alice.file(aside), alice.file("messages.db")],
    ] as const)
      renameSync(from, to)
    expect(await alice.runJson("contacts")).toEqual([])
  })

  test("and leaves nothing behind when a first init dies before it", async (context) => {
    const alice = newFixture(context).user("alice")
    mkdirSync(alice.file(""), { recursive: true, mode: 0o700 })
    writeFileSync(alice.file("messages.db.new"), "half")
    await alice.runJson("init", "--name", "alice", "--no-passphrase", "--broker", "later")
    expect(readdirSync(alice.file("")).filter((name) => /\.(new|old)$/.test(name))).toEqual([])
  })
})

describe("messages that are lost", () => {
  test("in each way: a new store for the same keys, and the same two people pair again", async (context) => {
    const { alice, bob } = await pairedUsers(newFixture(context))
    const [known] = await alice.runJson("contacts")
    for (const [name, damage] of Object.entries(DAMAGES)) {
      const aside = asideOf(bob, "messages.db").length
      damage(bob.file("messages.db"))
      const { stderr } = await bob.run(["contacts"])
      if (name !== "a folder") expect(hintOf(stderr), name).toContain("mqttchat init --new-database")
      await bob.runJson("init", "--new-database")
      expect(asideOf(bob, "messages.db"), name).toHaveLength(name === "deleted" ? aside : aside + 1)
      expect(await bob.runJson("status"), name).toMatchObject([
        { name: "bob", connection: { kind: "online" } },
      ])
    }
    await pair(alice, bob)
    const [again] = await alice.runJson("contacts")
    expect(again?.["fingerprint"]).toBe(known?.["fingerprint"])
    await bob.runJson("send", "alice", "here again")
    await alice.receiveTexts("here again")
  })

  test.for([
    [9, "an earlier version, and this one cannot read it", "mqttchat init --new-database"],
    [12, "a later version", "install the version of mqttchat that wrote it"],
  ] as const)(
    "to version %i of the program, which wrote them: no command reads half of them, and they are set aside",
    async ([version, writer, hint], context) => {
      const alice = await made(newFixture(context))
      await changeVersion(alice, version)
      const messages = readFileSync(alice.file("messages.db"))
      for (const command of [["status"], ["contacts"], ["send", "bob", "hi"], ["export", alice.file("b")]]) {
        const { code, stderr } = await alice.run(command)
        expect({ command, code }).toEqual({ command, code: 78 })
        expect(stderr).toContain(`messages.db was written by ${writer}`)
        expect(hintOf(stderr)).toContain(hint)
      }
      expect(readFileSync(alice.file("messages.db")).equals(messages)).toBe(true)
      await alice.runJson("init", "--new-database")
      const [aside = ""] = asideOf(alice, "messages.db")
      expect(readFileSync(alice.file(aside)).equals(messages)).toBe(true)
      expect(await alice.runJson("contacts")).toEqual([])
    },
  )

  test("is no way to lose messages that can be read", async (context) => {
    const alice = await made(newFixture(context))
    const messages = readFileSync(alice.file("messages.db"))
    const { code } = await alice.run(["init", "--new-database"])
    expect(code).toBe(73)
    expect(readFileSync(alice.file("messages.db")).equals(messages)).toBe(true)
    const other = newFixture(context).user("nobody-yet")
    expect((await other.run(["init", "--new-database"])).code).toBe(78)
  })
})

describe("a folder in place of a file", () => {
  test.for(["settings.json", "messages.db-wal", "owner.lock", "owner.sock", "api.token"])(
    "of %s is left by the commands that the hints print",
    async (name, context) => {
      const alice = await made(newFixture(context))
      DAMAGES["a folder"]?.(alice.file(name))
      for (let followed = 0; followed < HINTS_MAX; followed++) {
        const daemon = alice.start(["daemon", "--tcp", "0"])
        const ended = daemon.finished()
        const outcome = await Promise.race([daemon.prints(/over TCP/).then(() => undefined), ended])
        if (outcome === undefined) {
          expect(await alice.runJson("contacts")).toEqual([])
          return
        }
        execFileSync("sh", ["-c", hintOf(outcome.stderr)])
      }
      throw new Error("the hints lead in a circle")
    },
  )
})

test("a folder in place of a file does not keep a profile from being wiped", async (context) => {
  const alice = await made(newFixture(context))
  for (const name of ["settings.json", "owner.sock"]) {
    DAMAGES["a folder"]?.(alice.file(name))
    writeFileSync(join(alice.file(name), "not-ours"), "")
  }
  expect((await alice.run(["wipe", "--yes", "default"])).code).toBe(0)
  expect(readdirSync(alice.file("")).toSorted()).toEqual(["owner.sock", "settings.json"])
})

test("each file of a profile, damaged in each way, gives a hint or heals", async (context) => {
  const fixture = newFixture(context)
  const alice = await made(fixture)
  await alice.runJson("contacts")
  const whole = join(fixture.folder, "whole")
  cpSync(alice.file(""), whole, { recursive: true })
  for (const name of ["settings.json", "identity.key", "messages.db"])
    for (const [damaged, damage] of Object.entries(DAMAGES)) {
      rmSync(alice.file(""), { recursive: true })
      cpSync(whole, alice.file(""), { recursive: true })
      damage(alice.file(name))
      const { code, stderr } = await alice.run(["contacts"])
      const where = `${name} ${damaged}`
      if (name === "settings.json") expect({ where, code }).toEqual({ where, code: 0 })
      else
        expect({ where, hint: hintOf(stderr) }).toMatchObject({ hint: expect.stringMatching(/./) as string })
      expect(stderr).not.toMatch(/bug|undefined/)
    }
})
