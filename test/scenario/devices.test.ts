import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { invitationFor, refusalOf, register } from "./membership.ts"
import { pair, type Person, schemaIs, settle, startBroker, Story, type Talker } from "./people.ts"

const ON_THE_WAY = ["--name", "bob", "--no-passphrase"] as const

async function codeOf(person: Person): Promise<{ readonly offer: Talker; readonly carrier: string }> {
  const offer = person.start(["device", "add", "--json"])
  const { carrier } = await offer.hears(schemaIs("offer"))
  return { offer, carrier: String(carrier) }
}

async function devicesOf(operator: Person, user: string): Promise<readonly unknown[]> {
  const rows = await operator.tell("broker", "devices")
  return rows.filter((row) => row["user"] === user).map(({ device }) => device)
}

describe("a person with several laptops", () => {
  const story = new Story()
  const [alice, bob] = [story.person("alice"), story.person("bob")]

  beforeAll(async () => {
    await settle(alice)
    await startBroker(alice)
    await register(bob, await invitationFor(alice, "bob"))
    await alice.tell("broker", "inviters", "operator")
  })
  afterAll(story.end)

  test("lets the second in by a spoken code, without the operator, where members may not invite", async () => {
    const desktop = story.person("desktop")
    const { offer, carrier } = await codeOf(bob)
    await desktop.tell("register", carrier, ...ON_THE_WAY)
    await offer.hears(schemaIs("paired"))
    await offer.finished()
    expect(await devicesOf(alice, "bob")).toHaveLength(2)
    expect(await alice.tell("broker", "users")).toMatchObject([
      { operator: true },
      { name: "bob", devices: 2 },
    ])

    await pair(alice, desktop)
    await alice.tell("send", "bob", "to the desktop")
    expect(await desktop.receives("to the desktop")).toContain("to the desktop")
    await bob.tell("send", "bob", "from the laptop")
    expect(await desktop.receives("from the laptop")).toContain("from the laptop")
  })

  test("gives away no device by a wrong code, nor to a laptop of somebody else at this broker", async () => {
    const [mallory, carol] = [story.person("mallory"), story.person("carol")]
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
    await alice.tell("broker", "revoke", `bob/${String(desktop)}`)
    expect(await bob.tell("status")).toMatchObject([{ link: { kind: "online" } }])
    expect(await refusalOf(story.person("desktop"))).toContain("does not accept this device")
  })
})
