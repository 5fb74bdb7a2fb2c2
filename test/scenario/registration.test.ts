import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { REGISTRAR_POINTS } from "../../src/registrar/registrar.ts"
import { invitationFor, register } from "./membership.ts"
import { type Person, schemaIs, settle, startBroker, Story, type Talker } from "./people.ts"

const ON_THE_WAY = ["--no-passphrase", "--json"] as const

async function usersOf(operator: Person): Promise<readonly unknown[]> {
  return (await operator.tell("broker", "users")).map(({ name, devices }) => [name, devices])
}

describe("a registration that is cut off", () => {
  const story = new Story()
  const alice = story.person("alice")
  let broker: Talker

  beforeAll(async () => {
    await settle(alice)
    broker = await startBroker(alice)
    // the operator's own device is in before anything dies
    await alice.tell("status")
  })
  afterAll(story.end)

  async function stopBroker(): Promise<void> {
    broker.kill("SIGTERM")
    await broker.finished()
  }

  test.each(REGISTRAR_POINTS)("by kill -9 of the broker at %s is finished by the next one", async (point) => {
    const person = story.person(`guest-${point}`)
    const invitation = await invitationFor(alice, person.name)
    await stopBroker()
    const doomed = alice.start(["broker", "--loopback", "--json"], { env: { MQTTCHAT_DIE_AT: point } })
    await doomed.hears(schemaIs("broker"))
    const registering = person.start(["register", invitation, "--name", person.name, ...ON_THE_WAY])
    expect(await doomed.finished()).toMatchObject({ signal: "SIGKILL" })
    broker = await startBroker(alice, "again")
    const { code, stderr } = await registering.finished()
    expect(code, stderr).toBe(0)
    expect(await usersOf(alice)).toContainEqual([person.name, 1])
  })

  test("by kill -9 of the newcomer, whenever that is, is finished by the next try, as the same device", async () => {
    const person = story.person("unlucky")
    const invitation = await invitationFor(alice, person.name)
    await person.tell("init", "--name", person.name, "--no-passphrase", "--broker", "later")
    for (const delay of [150, 250, 300, 350, 400, 450, 500, 600, 700]) {
      const registering = person.start(["register", invitation, "--json"])
      const timer = setTimeout(() => registering.kill("SIGKILL"), delay)
      await registering.finished()
      clearTimeout(timer)
    }
    await person.tell("register", invitation)
    expect(await person.tell("status")).toMatchObject([{ link: { kind: "online" } }])
    expect(await usersOf(alice)).toContainEqual([person.name, 1])
  })

  test("an invitation that somebody else used first is told, and who used it can be shut out", async () => {
    const [thief, owner] = [story.person("thief"), story.person("owner")]
    const invitation = await invitationFor(alice, "owner")
    await register(thief, invitation)
    const { code, stderr } = await owner.run(["register", invitation, "--name", "owner", ...ON_THE_WAY])
    expect([code, stderr]).toEqual([77, expect.stringContaining("used already")])
    await alice.tell("broker", "revoke", "owner")
    await register(owner, await invitationFor(alice, "owner"))
    expect(await owner.tell("status")).toMatchObject([{ link: { kind: "online" } }])
    expect(await usersOf(alice)).toContainEqual(["owner", 0])
    expect(await usersOf(alice)).toContainEqual(["owner", 1])
  })
})
