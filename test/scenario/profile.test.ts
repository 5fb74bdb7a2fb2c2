import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { type User, ScenarioFixture } from "./scenario-fixture.ts"

const COMMANDS = [
  ["send", "bob", "hello"],
  ["inbox"],
  ["chat", "bob"],
  ["history", "bob"],
  ["search", "hello"],
  ["contacts"],
  ["verify", "bob"],
  ["pair"],
  ["status"],
  ["passwd", "--no-passphrase"],
]

/** One byte of each page of the file. */
function spoiled(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes)
  for (let at = 100; at < changed.length; at += 4096) changed[at] = (changed[at] ?? 0) ^ 1
  return changed
}

/** Ways to damage a file of the profile. */
const DAMAGES: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
  ["changed bytes", spoiled],
  ["its first half only", (bytes) => bytes.subarray(0, bytes.length >> 1)],
  ["a text", () => Buffer.from("my shopping list\n".repeat(500))],
  [
    "a database of another program",
    () => Buffer.concat([Buffer.from("SQLite format 3\0"), Buffer.alloc(8176)]),
  ],
]

async function made(fixture: ScenarioFixture): Promise<User> {
  const alice = fixture.user("alice")
  await alice.runJson("init", "--name", "alice", "--no-passphrase", "--broker", "later")
  expect(await alice.runJson("contacts")).toEqual([])
  return alice
}

/** Every refusal gives the problem, the reason and the next command; nothing goes to stdout. */
async function expectRefusal(who: User, args: readonly string[], code: number): Promise<string> {
  const ended = await who.run(args)
  expect({ code: ended.code, stdout: ended.stdout }, ended.stderr).toEqual({ code, stdout: "" })
  expect(ended.stderr).toMatch(/^mqttchat: [^\n]+\n {2}→ [^\n]+\n$/)
  return ended.stderr
}

describe.concurrent("a profile", () => {
  it("that does not exist is reported as missing, with the command to make it", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const newcomer = fixture.user("nobody")
    for (const args of COMMANDS) {
      expect(await expectRefusal(newcomer, args, 78)).toMatch(
        /there is no profile \w+ yet\n {2}→ mqttchat init\n/,
      )
    }
    expect(existsSync(newcomer.file("identity.key"))).toBe(false)
  })

  it("is never overwritten by a second init", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = await made(fixture)
    const before = readFileSync(alice.file("identity.key"))
    const second = ["init", "--name", "mallory", "--no-passphrase", "--broker", "later"]
    expect(await expectRefusal(alice, second, 73)).toMatch(/never overwritten/)
    expect(readFileSync(alice.file("identity.key")).equals(before)).toBe(true)
    expect(await alice.status()).toMatchObject({ name: "alice" })
  })

  it("is made once when several begin at once", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const laptop = fixture.user("laptop")
    const names = ["alice", "bob", "carol", "dave"]
    const ended = await Promise.all(
      names.map((name) =>
        laptop.run(["init", "--name", name, "--no-passphrase", "--broker", "later", "--json"]),
      ),
    )
    expect(ended.map(({ code }) => code).toSorted()).toEqual([0, 73, 73, 73])
    const [winner] = ended.flatMap(({ output }) => output.map(({ name }) => name))
    expect(await laptop.status()).toMatchObject({ name: winner })
  })

  it("does not open with a wrong passphrase, and stays unchanged", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = fixture.user("alice")
    const [right, wrong] = [join(fixture.folder, "right"), join(fixture.folder, "wrong")]
    writeFileSync(right, "correct horse\n")
    writeFileSync(wrong, "correct house\n")
    await alice.runJson("init", "--name", "alice", "--broker", "later", "--passphrase-file", right)
    const before = readFileSync(alice.file("identity.key"))
    const refusal = await expectRefusal(alice, ["contacts", "--passphrase-file", wrong], 77)
    expect(refusal).toMatch(/passphrase/)
    expect(refusal).not.toMatch(/house/)
    expect(readFileSync(alice.file("identity.key")).equals(before)).toBe(true)
    expect(await alice.runJson("contacts", "--passphrase-file", right)).toEqual([])
  })

  it.for(DAMAGES)("whose messages are %s is left unchanged", async ([, damage], { onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = await made(fixture)
    await expectDamage(alice, "messages.db", damage)
  })

  it.for(DAMAGES)("whose keys are %s is left unchanged", async ([, damage], { onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = await made(fixture)
    await expectDamage(alice, "identity.key", damage)
  })

  it("whose key file is empty is damaged, and without a key file does not exist", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = await made(fixture)
    await expectDamage(alice, "identity.key", () => Buffer.alloc(0))
    rmSync(alice.file("identity.key"))
    await expectRefusal(alice, ["contacts"], 78)
  })

  it("whose messages are gone does not silently get an empty store", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = await made(fixture)
    writeFileSync(alice.file("messages.db"), "")
    expect(await expectRefusal(alice, ["contacts"], 65)).toMatch(/missing or empty/)
    rmSync(alice.file("messages.db"))
    expect(await expectRefusal(alice, ["contacts"], 65)).toMatch(/missing or empty/)
    expect(existsSync(alice.file("messages.db"))).toBe(false)
  })
})

/** Commands that read and that write are refused; no byte is changed, and a copy restores the profile. */
async function expectDamage(alice: User, name: string, damage: (bytes: Buffer) => Buffer): Promise<void> {
  const before = readFileSync(alice.file(name))
  const after = damage(before)
  writeFileSync(alice.file(name), after)
  for (const args of [["contacts"], ["pair", "--file", "-"]]) {
    expect(await expectRefusal(alice, args, 65)).toMatch(/damaged|not|other/)
  }
  expect(readFileSync(alice.file(name)).equals(after)).toBe(true)
  writeFileSync(alice.file(name), before)
  expect(await alice.runJson("contacts")).toEqual([])
}
