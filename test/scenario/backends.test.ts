import { createRequire } from "node:module"
import { describe, expect, onTestFinished, test } from "vitest"
import { BACKENDS } from "../../src/crypto/nacl.ts"
import {
  isMessage,
  pair,
  type User,
  initHost,
  startBroker,
  ScenarioFixture,
  type JsonProcess,
} from "./scenario-fixture.ts"

type Backend = (typeof BACKENDS)[number]

/** sodium-native is an optional dependency: not every machine has it. */
function sodiumIsMissing(): boolean {
  if (process.env["MQTTCHAT_TEST_REQUIRE"] === "all") return false
  try {
    createRequire(import.meta.url).resolve("sodium-native")
    return false
  } catch {
    return true
  }
}

/** The process that has the profile open computes for every command on it. */
function open(user: User, backend: Backend): JsonProcess {
  return user.start(["inbox", "--follow", "--json"], { env: { MQTTCHAT_CRYPTO: backend } })
}

/** A circle, so that each writes to each of the others. */
async function circle(backends: readonly Backend[]): Promise<void> {
  const fixture = new ScenarioFixture()
  onTestFinished(fixture.end)
  const alice = fixture.user("alice")
  await initHost(alice)
  await startBroker(alice)
  const users: { user: User; inbox: JsonProcess }[] = []
  for (const [index, backend] of backends.entries()) {
    const user = index === 0 ? alice : fixture.user(`with-${backend}`)
    if (index > 0) await user.runJson("init", "--name", user.name, "--no-passphrase", "--broker", "later")
    users.push({ user, inbox: open(user, backend) })
  }
  for (const [index, { user, inbox }] of users.entries()) {
    const next = users[(index + 1) % users.length]
    if (next === undefined) continue
    expect(await pair(user, next.user)).toHaveLength(4)
    await user.runJson("send", next.user.name, `from ${user.name}`)
    await next.inbox.waitForOutput(isMessage(`from ${user.name}`))
    await next.user.runJson("send", user.name, `back from ${next.user.name}`)
    await inbox.waitForOutput(isMessage(`back from ${next.user.name}`))
  }
}

describe("users whose mqttchat uses different crypto libraries", () => {
  test.skipIf(sodiumIsMissing())("pair and write, each with each", () => circle(BACKENDS))

  test("pair and write without native code", () => circle(["tweetnacl", "node"]))

  test("an unknown backend is refused, and the known ones are named", async () => {
    const fixture = new ScenarioFixture()
    onTestFinished(fixture.end)
    const alice = fixture.user("alice")
    await initHost(alice)
    const { code, stderr } = await alice.run(["contacts"], { env: { MQTTCHAT_CRYPTO: "rot13" } })
    expect(code).toBe(78)
    for (const name of BACKENDS) expect(stderr).toContain(name)
  })
})
