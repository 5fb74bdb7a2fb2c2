import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { authorityOf, deviceOf, invitationFor, refusalOf, register } from "./membership.ts"
import { type Person, schemaIs, settle, Story, type Talker } from "./people.ts"

/** As we ship it, under the authority of this person's profile. */
async function mosquittoOf(person: Person): Promise<Mosquitto> {
  return startMosquitto("shipped", await authorityOf(person))
}

describe.skipIf(mosquittoIsMissing())("a registrar beside Mosquitto", () => {
  const story = new Story()
  const alice = story.person("alice")
  let mosquitto: Mosquitto
  let registrar: Talker

  async function startRegistrar(): Promise<Talker> {
    const { port, guestPort, folder } = mosquitto
    const started = alice.start([
      ...["registrar", "--broker", `127.0.0.1:${port}`, "--guests", `127.0.0.1:${guestPort}`],
      ...["--crl", join(folder, "crl.pem"), "--pid-file", join(folder, "mosquitto.pid"), "--json"],
    ])
    await started.hears(schemaIs("registrar"))
    return started
  }

  beforeAll(async () => {
    mosquitto = await mosquittoOf(alice)
    await settle(alice)
    registrar = await startRegistrar()
  })
  afterAll(async () => {
    await story.end()
    await mosquitto.close()
  })

  test("lets the operator's own profile and two others in; they meet and talk", async () => {
    const [bob, carol] = [story.person("bob"), story.person("carol")]
    expect(await alice.tell("status")).toMatchObject([{ link: { kind: "online" } }])
    await register(bob, await invitationFor(alice, "bob"))
    await register(carol, await invitationFor(alice, "carol"))
    const offer = bob.start(["pair", "--json", "--no-qr"])
    const { carrier } = await offer.hears(schemaIs("offer"))
    await carol.tell("pair", String(carrier))
    await offer.hears(schemaIs("paired"))
    await offer.finished()
    await bob.tell("send", "carol", "over Mosquitto")
    expect(await carol.receives("over Mosquitto")).toContain("over Mosquitto")
  })

  test("shuts Dave out while he is connected, and Erin while no registrar runs", async () => {
    const [dave, erin] = [story.person("dave"), story.person("erin")]
    await register(dave, await invitationFor(alice, "dave"))
    await register(erin, await invitationFor(alice, "erin"))
    const [daves, erins] = [dave, erin].map((person) => person.start(["inbox", "--follow", "--json"]))
    for (const person of [dave, erin])
      expect(await person.tell("status")).toMatchObject([{ link: { kind: "online" } }])
    const device = await deviceOf(alice, "dave")
    expect(await alice.tell("broker", "revoke", "dave")).toMatchObject([{ devices: [device], trouble: null }])
    expect(await refusalOf(dave)).toContain("does not accept this device")
    expect(mosquitto.log.join("\n")).toMatch(
      new RegExp(`${device}.*already connected, closing old connection`),
    )

    registrar.kill("SIGTERM")
    await registrar.finished()
    const [revoked] = await alice.tell("broker", "revoke", "erin")
    expect(revoked).toMatchObject({ trouble: "no broker is running here" })
    expect(await erin.tell("status")).toMatchObject([{ link: { kind: "online" } }])
    registrar = await startRegistrar()
    expect(await refusalOf(erin)).toContain("does not accept this device")
    for (const talker of [daves, erins]) talker?.kill("SIGINT")
  })

  test("finds whoever came while it was away, and finishes what they began", async () => {
    const frank = story.person("frank")
    const invitation = await invitationFor(alice, "frank")
    registrar.kill("SIGTERM")
    await registrar.finished()
    const away = await frank.run(["register", invitation, "--name", "frank", "--no-passphrase", "--json"])
    expect([away.code, away.stderr]).toEqual([69, expect.stringContaining("registrar does not answer")])
    registrar = await startRegistrar()
    expect(await frank.tell("status")).toMatchObject([{ link: { kind: "online" } }])
    expect(await alice.tell("broker", "users")).toContainEqual(
      expect.objectContaining({ name: "frank", devices: 1 }),
    )
  })
})
