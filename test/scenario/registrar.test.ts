import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { authorityOf, deviceOf, invitationFor, refusalOf, register } from "./membership.ts"
import {
  initHost,
  type JsonProcess,
  QUICK_TIMERS,
  ScenarioFixture,
  schemaIs,
  type User,
} from "./scenario-fixture.ts"

/** Mosquitto as we ship it, under the authority of this user's profile. */
async function mosquittoOf(user: User): Promise<Mosquitto> {
  return startMosquitto("shipped", await authorityOf(user))
}

describe.skipIf(mosquittoIsMissing())("a registrar with Mosquitto", () => {
  const fixture = new ScenarioFixture()
  const alice = fixture.user("alice")
  let mosquitto: Mosquitto
  let registrar: JsonProcess

  async function startRegistrar(): Promise<JsonProcess> {
    const { port, guestPort, folder } = mosquitto
    const started = alice.start([
      ...["registrar", "--broker", `127.0.0.1:${port}`, "--guests", `127.0.0.1:${guestPort}`],
      ...["--crl", join(folder, "crl.pem"), "--pid-file", join(folder, "mosquitto.pid"), "--json"],
    ])
    await started.waitForOutput(schemaIs("registrar"))
    return started
  }

  beforeAll(async () => {
    mosquitto = await mosquittoOf(alice)
    await initHost(alice)
    registrar = await startRegistrar()
  })
  afterAll(async () => {
    await fixture.end()
    await mosquitto.close()
  })

  test("admits the operator's own profile and two others; they pair and write", async () => {
    const [bob, carol] = [fixture.user("bob"), fixture.user("carol")]
    expect(await alice.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    await register(bob, await invitationFor(alice, "bob"))
    await register(carol, await invitationFor(alice, "carol"))
    const offer = bob.start(["pair", "--json", "--no-qr"])
    const { offer: carrier } = await offer.waitForOutput(schemaIs("offer"))
    await carol.runJson("pair", String(carrier))
    await offer.waitForOutput(schemaIs("paired"))
    await offer.finished()
    await bob.runJson("send", "carol", "over Mosquitto")
    expect(await carol.receiveTexts("over Mosquitto")).toContain("over Mosquitto")
  })

  test("revokes Dave while he is connected, and Erin while no registrar runs", async () => {
    const [dave, erin] = [fixture.user("dave"), fixture.user("erin")]
    await register(dave, await invitationFor(alice, "dave"))
    await register(erin, await invitationFor(alice, "erin"))
    const [daves, erins] = [dave, erin].map((user) => user.start(["inbox", "--follow", "--json"]))
    for (const user of [dave, erin])
      expect(await user.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    const device = await deviceOf(alice, "dave")
    expect(await alice.runJson("broker", "revoke", "dave")).toMatchObject([
      { devices: [device], reason: null },
    ])
    expect(await refusalOf(dave)).toContain("does not accept this device")
    expect(mosquitto.log.join("\n")).toMatch(
      new RegExp(`${device}.*already connected, closing old connection`),
    )

    registrar.kill("SIGTERM")
    await registrar.finished()
    const [revoked] = await alice.runJson("broker", "revoke", "erin")
    expect(revoked).toMatchObject({ reason: "no broker is running here" })
    expect(await erin.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    registrar = await startRegistrar()
    expect(await refusalOf(erin)).toContain("does not accept this device")
    for (const running of [daves, erins]) running?.kill("SIGINT")
  })

  test("finishes registrations that began while it was down", async () => {
    const frank = fixture.user("frank")
    const invitation = await invitationFor(alice, "frank")
    registrar.kill("SIGTERM")
    await registrar.finished()
    const flags = ["--name", "frank", "--no-passphrase", "--timeout", "1h", "--json"]
    const command = ["register", invitation, ...flags]
    const away = await frank.run(command, QUICK_TIMERS)
    expect([away.code, away.stderr]).toEqual([69, expect.stringContaining("registrar does not answer")])
    registrar = await startRegistrar()
    expect(await frank.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    expect(await alice.runJson("broker", "users")).toContainEqual(
      expect.objectContaining({ name: "frank", devices: 1 }),
    )
  })
})
