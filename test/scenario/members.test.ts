import { readFileSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { formatInvitation, parseInvitation } from "../../src/wire/invitation-line.ts"
import { decodeInvitation, encodeInvitation } from "../../src/wire/registration.ts"
import { deviceOf, invitationFor, refusalOf, register } from "./membership.ts"
import { schemaIs, settle, startBroker, Story, type Talker } from "./people.ts"

const ON_THE_WAY = ["--no-passphrase", "--json"] as const

/** The same for whoever finds it too late. */
function expiredOf(text: string): string {
  const line = parseInvitation(text)!
  const invitation = decodeInvitation(line.invitation)!
  const expired = encodeInvitation({ ...invitation, expiresAt: Math.floor(Date.now() / 1000) - 1 })
  return formatInvitation({ ...line, invitation: expired })
}

describe("the operator of a broker", () => {
  const story = new Story()
  const alice = story.person("alice")
  let broker: Talker

  beforeAll(async () => {
    await settle(alice)
    broker = await startBroker(alice)
  })
  afterAll(story.end)

  test("lets Bob in with one line, sees him, and gives him another name", async () => {
    const bob = story.person("bob")
    await register(bob, await invitationFor(alice, "bob"))
    expect(await bob.tell("status")).toMatchObject([{ link: { kind: "online" } }])
    expect(await alice.tell("broker", "users")).toMatchObject([
      { name: "operator", operator: true },
      { name: "bob", devices: 1, invitedBy: null, revokedAt: null },
    ])
    expect(await alice.tell("broker", "invites")).toContainEqual(
      expect.objectContaining({ name: "bob", state: "used" }),
    )
    await alice.tell("broker", "rename", "bob", "Robert")
    expect(await deviceOf(alice, "Robert")).toHaveLength(22)
  })

  test("lets Carol in with init, and two members talk", async () => {
    const [carol, dave] = [story.person("carol"), story.person("dave")]
    const invitation = await invitationFor(alice, "carol")
    await carol.tell("init", "--name", "carol", "--no-passphrase", "--broker", invitation)
    await register(dave, await invitationFor(alice, "dave"))
    const offer = carol.start(["pair", "--json", "--no-qr"])
    const { carrier } = await offer.hears(schemaIs("offer"))
    await dave.tell("pair", String(carrier))
    await offer.hears(schemaIs("paired"))
    await offer.finished()
    await carol.tell("send", "dave", "without the operator")
    expect(await dave.receives("without the operator")).toContain("without the operator")
  })

  test("is told of a name that is taken; an invitation serves one person, and says why no second", async () => {
    const [eve, mallory] = [story.person("eve"), story.person("mallory")]
    const invitation = await invitationFor(alice, "eve")
    const taken = await alice.run(["broker", "invite", "eve"])
    expect([taken.code, taken.stderr]).toEqual([73, expect.stringContaining("--again")])
    await register(eve, invitation)
    const second = await mallory.run(["register", invitation, "--name", "mallory", ...ON_THE_WAY])
    expect([second.code, second.stderr]).toEqual([77, expect.stringContaining("used already")])
    const cut = await mallory.run(["register", invitation.slice(0, -3), ...ON_THE_WAY])
    expect(cut.code).toBe(65)
    const expired = expiredOf(invitation)
    const late = await mallory.run(["register", expired, ...ON_THE_WAY])
    expect([late.code, late.stderr]).toEqual([77, expect.stringContaining("expired")])
    const wrongWord = await mallory.run(["pair", invitation, ...ON_THE_WAY])
    expect([wrongWord.code, wrongWord.stderr]).toEqual([64, expect.stringContaining("mqttchat register")])
    await register(mallory, await invitationFor(alice, "mallory"))
  })

  test("shuts Frank out at once, while he is connected; his neighbours notice nothing", async () => {
    const [frank, grace] = [story.person("frank"), story.person("grace")]
    await register(frank, await invitationFor(alice, "frank"))
    await register(grace, await invitationFor(alice, "grace"))
    const listening = frank.start(["inbox", "--follow", "--json"])
    const device = await deviceOf(alice, "frank")
    expect(await frank.tell("status")).toMatchObject([{ link: { kind: "online" } }])
    const [revoked] = await alice.tell("broker", "revoke", `frank/${device.slice(0, 8)}`)
    expect(revoked).toMatchObject({ devices: [device], trouble: null })
    expect(await refusalOf(frank)).toContain("does not accept this device")
    listening.kill("SIGINT")
    await listening.finished()
    expect(await grace.tell("status")).toMatchObject([{ link: { kind: "online" } }])
    const devices = await alice.tell("broker", "devices")
    expect(devices.find((row) => row["user"] === "frank")?.["revokedAt"]).toEqual(expect.any(Number))
  })

  test("does all that while no broker runs; who was shut out meanwhile stays out", async () => {
    const [heidi, ivan] = [story.person("heidi"), story.person("ivan")]
    await register(heidi, await invitationFor(alice, "heidi"))
    broker.kill("SIGTERM")
    await broker.finished()
    const invitation = await invitationFor(alice, "ivan")
    const [revoked] = await alice.tell("broker", "revoke", "heidi")
    expect(revoked).toMatchObject({ trouble: "no broker is running here" })
    broker = await startBroker(alice, "again")
    await register(ivan, invitation)
    expect(await refusalOf(heidi)).toContain("does not accept this device")
  })

  test("reads in the log what was decided, and finds out when something is missing from it", async () => {
    const said = await alice.tell("broker", "log")
    const kinds = new Set(said.map(({ kind }) => kind))
    for (const kind of ["invited", "admitted", "renamed", "revoked", "expelled"])
      expect(kinds).toContain(kind)
    const [whole] = await alice.tell("broker", "log", "--verify")
    expect(whole).toMatchObject({ entries: said.length, link: said.at(-1)?.["link"] })
    expect(await alice.tell("broker", "log", "--verify", String(said[2]?.["link"]))).toEqual([whole])

    const path = alice.file("broker/registrar.ledger")
    const ledger = readFileSync(path, "utf8")
    const lines = ledger.trim().split("\n")
    writeFileSync(path, `${lines.slice(0, -1).join("\n")}\n`)
    expect((await alice.run(["broker", "log", "--verify", String(whole?.["link"])])).code).toBe(65)
    writeFileSync(path, ledger.replace("heidi", "hairy"))
    const changed = await alice.run(["broker", "log"])
    expect([changed.code, changed.stderr]).toEqual([65, expect.stringContaining("damaged")])
    writeFileSync(path, ledger)
  })
})
