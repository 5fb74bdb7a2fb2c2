import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { toHex } from "../../src/crypto/bytes.ts"
import { parseInvitationLink } from "../../src/wire/invitation-link.ts"
import { deviceOf, invitationFor, refusalOf, register } from "./membership.ts"
import {
  pair,
  type User,
  schemaIs,
  initHost,
  startBroker,
  ScenarioFixture,
  type JsonProcess,
} from "./scenario-fixture.ts"

async function ended(broker: JsonProcess): Promise<void> {
  broker.kill("SIGTERM")
  await broker.finished()
}

describe("the keys of a broker", () => {
  const fixture = new ScenarioFixture()
  const [alice, bob] = [fixture.user("alice"), fixture.user("bob")]
  let broker: JsonProcess

  /** Starts it with one more flag, and waits until it runs. */
  async function startWith(host: User, ...flags: readonly string[]): Promise<JsonProcess> {
    const started = host.start(["broker", "--loopback", "--json", ...flags])
    await started.waitForOutput(schemaIs("broker"))
    return started
  }

  beforeAll(async () => {
    await initHost(alice)
    broker = await startBroker(alice)
    await pair(alice, bob)
  })
  afterAll(fixture.end)

  test("can be locked, and then open with their passphrase only", async () => {
    await ended(broker)
    const right = alice.file("passphrase")
    writeFileSync(right, "correct horse battery staple\n")
    await alice.runJson("broker", "passwd", "--new-passphrase-file", right)
    const without = await alice.run(["broker", "--loopback"])
    expect([without.code, without.stderr]).toEqual([64, expect.stringContaining("--passphrase-file")])
    const wrong = alice.file("wrong")
    writeFileSync(wrong, "incorrect\n")
    expect((await alice.run(["--passphrase-file", wrong, "broker", "--loopback"])).code).toBe(77)

    broker = await startWith(alice, "--passphrase-file", right)
    const busy = await alice.run(["broker", "passwd", "--no-passphrase"])
    expect([busy.code, busy.stderr]).toEqual([69, expect.stringContaining("mqttchat broker passwd")])
    await ended(broker)
    await alice.runJson("--passphrase-file", right, "broker", "passwd", "--no-passphrase")
    broker = await startBroker(alice, "again")
  })

  test("are not silently replaced when they or the ledger are lost; a copy restores them", async () => {
    await ended(broker)
    for (const name of ["broker/broker.key", "broker/registrar.ledger"]) {
      copyFileSync(alice.file(name), alice.file("copy"))
      rmSync(alice.file(name))
      const refused = await alice.run(["broker", "--loopback"])
      expect([refused.code, refused.stderr]).toEqual([65, expect.stringContaining("--new-authority")])
      copyFileSync(alice.file("copy"), alice.file(name))
    }
    broker = await startBroker(alice, "again")
    await bob.runJson("send", "alice", "as before")
    expect(await alice.receiveTexts("as before")).toContain("as before")
  })

  test("lost for good: every user is invited again, and keeps contacts and conversations", async () => {
    const device = await deviceOf(alice, "bob")
    await ended(broker)
    rmSync(alice.file("broker/broker.key"))
    broker = await startWith(alice, "--new-authority")
    expect(await alice.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    expect(await refusalOf(bob)).toContain("does not lead to the key you trusted")
    const rows = await alice.runJson("broker", "devices")
    expect(rows.map(({ user, current }) => [user, current])).toEqual([
      ["operator", true],
      ["bob", false],
    ])

    const invitation = await invitationFor(alice, "bob", "--again")
    const link = parseInvitationLink(invitation)
    const pin = link?.proof.kind === "pin" ? toHex(link.proof.pin) : ""
    const before = readFileSync(bob.file("settings.json"), "utf8")
    const refused = await bob.run(["register", invitation])
    expect([refused.code, refused.stderr]).toEqual([64, expect.stringContaining(pin)])
    expect(refused.stderr).toContain("mqttchat config set broker HOST --pin PIN")
    expect(readFileSync(bob.file("settings.json"), "utf8")).toBe(before)

    const [at] = await bob.runJson("config", "get", "broker")
    await bob.runJson("config", "set", "broker", String(at?.["value"]), "--pin", pin)
    await register(bob, invitation)
    expect(await deviceOf(alice, "bob")).toBe(device)
    await bob.runJson("send", "alice", "still the same")
    expect(await alice.receiveTexts("still the same")).toContain("still the same")
    await alice.runJson("send", "bob", "and back")
    expect(await bob.receiveTexts("and back")).toContain("and back")
  })

  test("an invitation for another user does not move a profile to that user", async () => {
    const refused = await bob.run(["register", await invitationFor(alice, "carol"), "--json"])
    expect([refused.code, refused.stderr]).toEqual([78, expect.stringContaining("has a broker already")])
    expect(await bob.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
  })
})
