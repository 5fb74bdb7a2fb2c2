import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { expect, test } from "vitest"
import { isMessage, pairedUsers, ScenarioFixture, type User } from "../scenario/scenario-fixture.ts"

/** A recovery takes a few commands of either side; after this many it never comes. */
const ROUNDS_MAX = 50
const LOG = "messages.db-wal"

function flipBit(path: string): void {
  const bytes = readFileSync(path)
  const at = bytes.length >> 1
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

async function textsFrom(who: User, from: User): Promise<unknown[]> {
  return (await who.history(from)).filter(({ mine }) => mine !== true).map(({ text }) => text)
}

test("[D-130] [D-131] [D-132] a bit flips in the log of a killed program: its user is told, and all comes again", async ({
  onTestFinished,
}) => {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  const { alice, bob } = await pairedUsers(fixture)
  const texts = Array.from({ length: 12 }, (_, n) => `text ${n}`)
  const follower = bob.start(["inbox", "--follow", "--json"])
  for (const text of texts) {
    await alice.runJson("send", "bob", text)
    await follower.waitForOutput(isMessage(text))
  }
  process.kill(follower.pid, "SIGKILL")
  await follower.finished()
  flipBit(bob.file(LOG))
  const { code, stdout, stderr } = await bob.run(["history", "alice"])
  expect(code).toBe(0)
  expect(stderr).toMatch(/the message store was damaged/)
  const [kept = ""] = readdirSync(bob.file("")).filter((name) => name.startsWith(`${LOG}.damaged-`))
  expect(kept).not.toBe("")
  expect(stderr).toContain(kept)
  expect(stdout).toContain("may be missing")
  const before = await textsFrom(bob, alice)
  expect(texts.every((text) => before.includes(text))).toBe(false)
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await bob.inbox()
    await alice.inbox()
    if ((await textsFrom(bob, alice)).includes(texts.at(-1))) break
  }
  const after = await textsFrom(bob, alice)
  expect(after.filter((text) => texts.includes(String(text)))).toEqual(texts)
  expect(after).toContain("messages from alice that this device had lost come again")
  expect(await textsFrom(alice, bob)).toContainEqual(expect.stringMatching(/that bob's device had lost w/))
  // What was told once is not told again.
  expect((await bob.run(["history", "alice"])).stderr).not.toMatch(/damaged/)
})
