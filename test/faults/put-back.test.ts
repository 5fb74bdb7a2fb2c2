import { copyFileSync } from "node:fs"
import { describe, expect, it } from "vitest"

import { neighbours, type Person, Story } from "../scenario/people.ts"

/** Some fifty processes share two cores with other tests: a ceiling, no verdict on speed. */
const CEILING = { timeout: 180_000 }
/** A connection is made anew within a few commands of either side. */
const ROUNDS_MAX = 12

const DATABASE = "messages.db"

function copyDatabase(who: Person): void {
  copyFileSync(who.file(DATABASE), `${who.file(DATABASE)}.old`)
}

function putDatabaseBack(who: Person): void {
  copyFileSync(`${who.file(DATABASE)}.old`, who.file(DATABASE))
}

async function talk(from: Person, to: Person, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    await from.tell("send", to.name, text)
    await to.receives(text)
  }
}

async function heard(who: Person, from: Person): Promise<unknown[]> {
  return (await who.history(from)).filter(({ mine }) => mine !== true).map(({ text }) => text)
}

/** Both look in, again and again, until the one has these texts of the other. */
async function untilHeard(who: Person, from: Person, texts: readonly string[]): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const all = await heard(who, from)
    if (texts.every((text) => all.includes(text))) return
    await from.inbox()
    await who.inbox()
  }
  throw new Error(`${who.name} has only ${(await heard(who, from)).join(", ")}`)
}

function twice(texts: readonly unknown[]): unknown[] {
  return texts.filter((text, at) => texts.indexOf(text) !== at)
}

describe.concurrent("a database file that is put back to an older copy", CEILING, () => {
  it("of the sender: what is sent from then on arrives, and nothing twice", async ({ onTestFinished }) => {
    const story = new Story()
    onTestFinished(story.end)
    const { alice, bob } = await neighbours(story)
    await talk(alice, bob, "one")
    await talk(bob, alice, "heard")
    copyDatabase(alice)
    await talk(alice, bob, "two", "three", "four", "five")
    putDatabaseBack(alice)
    const since = ["six", "seven", "eight"]
    for (const text of since) await alice.tell("send", "bob", text)
    await untilHeard(bob, alice, since)
    const all = await heard(bob, alice)
    expect(all).toEqual(expect.arrayContaining(["one", "two", "three", "four", "five"]))
    expect(twice(all)).toEqual([])
    await talk(bob, alice, "welcome back")
  })

  it("of the receiver: what is sent from then on arrives, and nothing twice", async ({ onTestFinished }) => {
    const story = new Story()
    onTestFinished(story.end)
    const { alice, bob } = await neighbours(story)
    await talk(alice, bob, "one")
    await talk(bob, alice, "heard")
    copyDatabase(bob)
    await talk(alice, bob, "two", "three")
    await talk(bob, alice, "and heard", "and heard again")
    putDatabaseBack(bob)
    const since = ["four", "five", "six"]
    for (const text of since) await alice.tell("send", "bob", text)
    for (const text of since) await bob.tell("send", "alice", `${text} more`)
    await untilHeard(bob, alice, since)
    await untilHeard(
      alice,
      bob,
      since.map((text) => `${text} more`),
    )
    expect(twice(await heard(bob, alice))).toEqual([])
    expect(twice(await heard(alice, bob))).toEqual([])
  })
})
