import { readFileSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { formatInvitationLink, parseInvitationLink } from "../../src/wire/invitation-link.ts"
import { decodeInvitation, encodeInvitation } from "../../src/wire/registration.ts"
import { deviceOf, invitationFor, refusalOf, register } from "./membership.ts"
import { schemaIs, initHost, startBroker, ScenarioFixture, type JsonProcess } from "./scenario-fixture.ts"

const PROFILE_FLAGS = ["--no-passphrase", "--json"] as const

/** The same invitation, already expired. */
function expiredOf(text: string): string {
  const link = parseInvitationLink(text)!
  const invitation = decodeInvitation(link.invitation)!
  const expired = encodeInvitation({ ...invitation, expiresAt: Math.floor(Date.now() / 1000) - 1 })
  return formatInvitationLink({ ...link, invitation: expired })
}

describe("the operator of a broker", () => {
  const fixture = new ScenarioFixture()
  const alice = fixture.user("alice")
  let broker: JsonProcess

  beforeAll(async () => {
    await initHost(alice)
    broker = await startBroker(alice)
  })
  afterAll(fixture.end)

  test("admits Bob with one line, sees him, and gives him another name", async () => {
    const bob = fixture.user("bob")
    await register(bob, await invitationFor(alice, "bob"))
    expect(await bob.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    expect(await alice.runJson("broker", "users")).toMatchObject([
      { name: "operator", operator: true },
      { name: "bob", devices: 1, invitedBy: null, revokedAt: null },
    ])
    expect(await alice.runJson("broker", "invites")).toContainEqual(
      expect.objectContaining({ user: "bob", state: "used" }),
    )
    await alice.runJson("broker", "rename", "bob", "Robert")
    expect(await deviceOf(alice, "Robert")).toHaveLength(22)
  })

  test("admits Carol with init, and two members write to each other", async () => {
    const [carol, dave] = [fixture.user("carol"), fixture.user("dave")]
    const invitation = await invitationFor(alice, "carol")
    await carol.runJson("init", "--name", "carol", "--no-passphrase", "--broker", invitation)
    await register(dave, await invitationFor(alice, "dave"))
    const offer = carol.start(["pair", "--json", "--no-qr"])
    const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
    await dave.runJson("pair", String(carrier))
    await offer.waitForOutput(schemaIs("paired"))
    await offer.finished()
    await carol.runJson("send", "dave", "without the operator")
    expect(await dave.receiveTexts("without the operator")).toContain("without the operator")
  })

  test("gets an error for a name that is taken; a used invitation is refused with a reason", async () => {
    const [eve, mallory] = [fixture.user("eve"), fixture.user("mallory")]
    const invitation = await invitationFor(alice, "eve")
    const taken = await alice.run(["broker", "invite", "eve"])
    expect([taken.code, taken.stderr]).toEqual([73, expect.stringContaining("--again")])
    await register(eve, invitation)
    const second = await mallory.run(["register", invitation, "--name", "mallory", ...PROFILE_FLAGS])
    expect([second.code, second.stderr]).toEqual([77, expect.stringContaining("used already")])
    const cut = await mallory.run(["register", invitation.slice(0, -3), ...PROFILE_FLAGS])
    expect(cut.code).toBe(65)
    const expired = expiredOf(invitation)
    const late = await fixture.user("victor").run(["register", expired, ...PROFILE_FLAGS])
    expect([late.code, late.stderr]).toEqual([77, expect.stringContaining("expired")])
    const wrongWord = await mallory.run(["pair", invitation, ...PROFILE_FLAGS])
    expect([wrongWord.code, wrongWord.stderr]).toEqual([64, expect.stringContaining("mqttchat register")])
    await register(mallory, await invitationFor(alice, "mallory"))
  })

  test("revokes Frank at once, while he is connected; other members notice nothing", async () => {
    const [frank, grace] = [fixture.user("frank"), fixture.user("grace")]
    await register(frank, await invitationFor(alice, "frank"))
    await register(grace, await invitationFor(alice, "grace"))
    const listening = frank.start(["inbox", "--follow", "--json"])
    const device = await deviceOf(alice, "frank")
    expect(await frank.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    const [revoked] = await alice.runJson("broker", "revoke", `frank/${device.slice(0, 8)}`)
    expect(revoked).toMatchObject({ devices: [device], reason: null })
    expect(await refusalOf(frank)).toContain("does not accept this device")
    listening.kill("SIGINT")
    await listening.finished()
    expect(await grace.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    const devices = await alice.runJson("broker", "devices")
    expect(devices.find((row) => row["user"] === "frank")?.["revokedAt"]).toEqual(expect.any(Number))
  })

  test("does all that while no broker runs; a user revoked meanwhile stays revoked", async () => {
    const [heidi, ivan] = [fixture.user("heidi"), fixture.user("ivan")]
    await register(heidi, await invitationFor(alice, "heidi"))
    broker.kill("SIGTERM")
    await broker.finished()
    const invitation = await invitationFor(alice, "ivan")
    const [revoked] = await alice.runJson("broker", "revoke", "heidi")
    expect(revoked).toMatchObject({ reason: "no broker is running here" })
    broker = await startBroker(alice, "again")
    await register(ivan, invitation)
    expect(await refusalOf(heidi)).toContain("does not accept this device")
  })

  test("reads all decisions in the log, and notices if an entry is missing from it", async () => {
    const output = await alice.runJson("broker", "log")
    const kinds = new Set(output.map(({ kind }) => kind))
    for (const kind of ["invited", "admitted", "renamed", "revoked", "expelled"])
      expect(kinds).toContain(kind)
    const [whole] = await alice.runJson("broker", "log", "--verify")
    expect(whole).toMatchObject({ entries: output.length, link: output.at(-1)?.["link"] })
    expect(await alice.runJson("broker", "log", "--verify", String(output[2]?.["link"]))).toEqual([whole])

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
