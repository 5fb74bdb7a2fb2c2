import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { invitationFor, refusalOf, register } from "./membership.ts"
import {
  pair,
  type User,
  schemaIs,
  initHost,
  startBroker,
  ScenarioFixture,
  type JsonProcess,
} from "./scenario-fixture.ts"

const PROFILE_FLAGS = ["--name", "bob", "--no-passphrase"] as const

async function codeOf(user: User): Promise<{ readonly offer: JsonProcess; readonly carrier: string }> {
  const offer = user.start(["device", "add", "--json"])
  const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
  return { offer, carrier: String(carrier) }
}

async function devicesOf(operator: User, user: string): Promise<readonly unknown[]> {
  const rows = await operator.runJson("broker", "devices")
  return rows.filter((row) => row["user"] === user).map(({ device }) => device)
}

describe("a user with several laptops", () => {
  const fixture = new ScenarioFixture()
  const [alice, bob] = [fixture.user("alice"), fixture.user("bob")]

  beforeAll(async () => {
    await initHost(alice)
    await startBroker(alice)
    await register(bob, await invitationFor(alice, "bob"))
    await alice.runJson("broker", "inviters", "operator")
  })
  afterAll(fixture.end)

  test("adds the second by a spoken code, without the operator, even if members may not invite", async () => {
    const desktop = fixture.user("desktop")
    const { offer, carrier } = await codeOf(bob)
    await desktop.runJson("register", carrier, ...PROFILE_FLAGS)
    await offer.waitForOutput(schemaIs("paired"))
    await offer.finished()
    expect(await devicesOf(alice, "bob")).toHaveLength(2)
    expect(await alice.runJson("broker", "users")).toMatchObject([
      { operator: true },
      { name: "bob", devices: 2 },
    ])

    await pair(alice, desktop)
    await alice.runJson("send", "bob", "to the desktop")
    expect(await desktop.receiveTexts("to the desktop")).toContain("to the desktop")
    await bob.runJson("send", "bob", "from the laptop")
    expect(await desktop.receiveTexts("from the laptop")).toContain("from the laptop")
  })

  test("adds no device with a wrong code, nor the laptop of another user of this broker", async () => {
    const [mallory, carol] = [fixture.user("mallory"), fixture.user("carol")]
    const before = await devicesOf(alice, "bob")
    const wrong = await codeOf(bob)
    const [plate, , ...rest] = wrong.carrier.split(/[-@]/)
    const guess = `${plate ?? ""}-zoo-zoo@${rest.at(-1) ?? ""}`
    const guessed = await mallory.run(["register", guess, "--name", "mallory", "--no-passphrase", "--json"])
    expect(guessed.code).not.toBe(0)
    await wrong.offer.finished()

    await register(carol, await invitationFor(alice, "carol"))
    const { offer, carrier } = await codeOf(bob)
    const answered = await carol.run(["register", carrier, "--json"])
    expect(answered.code).not.toBe(0)
    expect((await offer.finished()).stderr).toContain("at this broker already")
    expect(await devicesOf(alice, "bob")).toEqual(before)
  })

  test("loses one of them, and keeps the other", async () => {
    const [, desktop] = await devicesOf(alice, "bob")
    await alice.runJson("broker", "revoke", `bob/${String(desktop)}`)
    expect(await bob.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    expect(await refusalOf(fixture.user("desktop"))).toContain("does not accept this device")
  })
})
