import { copyFileSync } from "node:fs"
import { describe, expect, it } from "vitest"

import { pairedUsers, type User, ScenarioFixture } from "../scenario/scenario-fixture.ts"

/** A recovery takes a few commands of either side; after this many it never comes. */
const ROUNDS_MAX = 200

const DATABASE = "messages.db"

function copyDatabase(who: User): void {
  copyFileSync(who.file(DATABASE), `${who.file(DATABASE)}.old`)
}

function restoreDatabase(who: User): void {
  copyFileSync(`${who.file(DATABASE)}.old`, who.file(DATABASE))
}

async function exchange(from: User, to: User, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    await from.runJson("send", to.name, text)
    await to.receiveTexts(text)
  }
}

/** What they wrote: a line about the conversation may come twice. */
async function receivedTexts(who: User, from: User): Promise<unknown[]> {
  const all = await who.runJson("history", from.name, "--last", "1000")
  return all.filter(({ mine, kind }) => mine !== true && kind === "text").map(({ text }) => text)
}

/** Both run short commands until one has these texts of the other. */
async function untilReceived(who: User, from: User, texts: readonly string[]): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const all = await receivedTexts(who, from)
    if (texts.every((text) => all.includes(text))) return
    await from.inbox()
    await who.inbox()
  }
  throw new Error(`${who.name} has only ${(await receivedTexts(who, from)).join(", ")}`)
}

function duplicates(texts: readonly unknown[]): unknown[] {
  return texts.filter((text, at) => texts.indexOf(text) !== at)
}

describe.concurrent("a database file that is put back to an older copy", () => {
  it("of the sender: later texts arrive, and nothing twice", async ({ onTestFinished }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    await exchange(alice, bob, "one")
    await exchange(bob, alice, "heard")
    copyDatabase(alice)
    await exchange(alice, bob, "two", "three", "four", "five")
    restoreDatabase(alice)
    const since = ["six", "seven", "eight"]
    for (const text of since) await alice.runJson("send", "bob", text)
    await untilReceived(bob, alice, since)
    const all = await receivedTexts(bob, alice)
    expect(all).toEqual(expect.arrayContaining(["one", "two", "three", "four", "five"]))
    expect(duplicates(all)).toEqual([])
    await exchange(bob, alice, "welcome back")
  })

  it("of the receiver: what was lost and later texts arrive, and nothing twice", async ({
    onTestFinished,
  }) => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const { alice, bob } = await pairedUsers(fixture)
    await exchange(alice, bob, "one")
    await exchange(bob, alice, "heard")
    copyDatabase(bob)
    await exchange(alice, bob, "two", "three")
    await exchange(bob, alice, "and heard", "and heard again")
    restoreDatabase(bob)
    const since = ["four", "five", "six"]
    for (const text of since) await alice.runJson("send", "bob", text)
    for (const text of since) await bob.runJson("send", "alice", `${text} more`)
    await untilReceived(bob, alice, ["two", "three", ...since])
    await untilReceived(
      alice,
      bob,
      since.map((text) => `${text} more`),
    )
    expect(duplicates(await receivedTexts(bob, alice))).toEqual([])
    expect(duplicates(await receivedTexts(alice, bob))).toEqual([])
  })
})
