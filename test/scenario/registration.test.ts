import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { REGISTRAR_POINTS } from "../../src/registrar/fault-points.ts"
import { invitationFor, register } from "./membership.ts"
import {
  crashAt,
  QUICK_TIMERS,
  type User,
  schemaIs,
  initHost,
  startBroker,
  ScenarioFixture,
  type JsonProcess,
} from "./scenario-fixture.ts"

const PROFILE_FLAGS = ["--no-passphrase", "--json"] as const

async function usersOf(operator: User): Promise<readonly unknown[]> {
  return (await operator.runJson("broker", "users")).map(({ name, devices }) => [name, devices])
}

describe("a registration that is interrupted", () => {
  const fixture = new ScenarioFixture()
  const alice = fixture.user("alice")
  let broker: JsonProcess

  beforeAll(async () => {
    await initHost(alice)
    broker = await startBroker(alice)
    // the operator's own device is registered before anything dies
    await alice.runJson("status")
  })
  afterAll(fixture.end)

  async function stopBroker(): Promise<void> {
    broker.kill("SIGTERM")
    await broker.finished()
  }

  test("an invitation that another user used first is reported, and that user can be revoked", async () => {
    const [attacker, owner] = [fixture.user("thief"), fixture.user("owner")]
    const invitation = await invitationFor(alice, "owner")
    await register(attacker, invitation)
    const { code, stderr } = await owner.run(["register", invitation, "--name", "owner", ...PROFILE_FLAGS])
    expect([code, stderr]).toEqual([77, expect.stringContaining("used already")])
    await alice.runJson("broker", "revoke", "owner")
    await register(owner, await invitationFor(alice, "owner"))
    expect(await owner.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    expect(await usersOf(alice)).toContainEqual(["owner", 0])
    expect(await usersOf(alice)).toContainEqual(["owner", 1])
  })

  test.each(REGISTRAR_POINTS)("by kill -9 of the broker at %s is finished by the next one", async (point) => {
    const user = fixture.user(`guest-${point}`)
    const invitation = await invitationFor(alice, user.name)
    await stopBroker()
    const doomed = alice.start(["broker", "--loopback", "--json"], crashAt(point))
    await doomed.waitForOutput(schemaIs("broker"))
    const registering = user.start(
      ["register", invitation, "--name", user.name, "--timeout", "1h", ...PROFILE_FLAGS],
      QUICK_TIMERS,
    )
    expect(await doomed.finished()).toMatchObject({ signal: "SIGKILL" })
    broker = await startBroker(alice, "again")
    const { code, stderr } = await registering.finished()
    expect(code, stderr).toBe(0)
    expect(await usersOf(alice)).toContainEqual([user.name, 1])
  })

  test("by kill -9 of the newcomer, at any moment, is finished by the next try, as the same device", async () => {
    const user = fixture.user("unlucky")
    const invitation = await invitationFor(alice, user.name)
    await user.runJson("init", "--name", user.name, "--no-passphrase", "--broker", "later")
    for (const delay of [150, 250, 300, 350, 400, 450, 500, 600, 700]) {
      const registering = user.start(["register", invitation, "--json"])
      const timer = setTimeout(() => registering.kill("SIGKILL"), delay)
      await registering.finished()
      clearTimeout(timer)
    }
    await user.runJson("register", invitation)
    expect(await user.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    expect(await usersOf(alice)).toContainEqual([user.name, 1])
  })
})
