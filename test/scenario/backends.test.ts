import { createRequire } from "node:module"
import { describe, expect, onTestFinished, test, vi } from "vitest"
import { BACKENDS } from "../../src/crypto/nacl.ts"
import { isMessage, pair, type Person, settle, startBroker, Story, type Talker } from "./people.ts"

// Many real processes share two cores with other tests: a ceiling, no verdict on speed.
vi.setConfig({ testTimeout: 180_000 })

type Backend = (typeof BACKENDS)[number]

/** It is an optional dependency: not every machine has it. */
function sodiumIsMissing(): boolean {
  if (process.env["MQTTCHAT_TEST_REQUIRE"] === "all") return false
  try {
    createRequire(import.meta.url).resolve("sodium-native")
    return false
  } catch {
    return true
  }
}

/** Whoever holds the profile open computes for every command on it. */
function open(person: Person, backend: Backend): Talker {
  return person.start(["inbox", "--follow", "--json"], { env: { MQTTCHAT_CRYPTO: backend } })
}

/** A circle, so that each talks with each of the others. */
async function circle(backends: readonly Backend[]): Promise<void> {
  const story = new Story()
  onTestFinished(story.end)
  const alice = story.person("alice")
  await settle(alice)
  await startBroker(alice)
  const people: { person: Person; inbox: Talker }[] = []
  for (const [index, backend] of backends.entries()) {
    const person = index === 0 ? alice : story.person(`with-${backend}`)
    if (index > 0) await person.tell("init", "--name", person.name, "--no-passphrase", "--broker", "later")
    people.push({ person, inbox: open(person, backend) })
  }
  for (const [index, { person, inbox }] of people.entries()) {
    const next = people[(index + 1) % people.length]
    if (next === undefined) continue
    expect(await pair(person, next.person)).toHaveLength(4)
    await person.tell("send", next.person.name, `from ${person.name}`)
    await next.inbox.hears(isMessage(`from ${person.name}`))
    await next.person.tell("send", person.name, `back from ${next.person.name}`)
    await inbox.hears(isMessage(`back from ${next.person.name}`))
  }
}

describe("people whose mqttchat computes with different libraries", () => {
  test.skipIf(sodiumIsMissing())("pair and talk, each with each", () => circle(BACKENDS))

  test("pair and talk without native code", () => circle(["tweetnacl", "node"]))

  test("one that does not exist is refused, and those that do are named", async () => {
    const story = new Story()
    onTestFinished(story.end)
    const alice = story.person("alice")
    await settle(alice)
    const { code, stderr } = await alice.run(["contacts"], { env: { MQTTCHAT_CRYPTO: "rot13" } })
    expect(code).toBe(78)
    for (const name of BACKENDS) expect(stderr).toContain(name)
  })
})
