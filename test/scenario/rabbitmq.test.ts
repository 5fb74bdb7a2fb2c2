import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { freePort } from "../mosquitto.ts"
import { type Epmd, startEpmd, type Rabbit, rabbitIsMissing, startRabbit } from "../rabbit.ts"
import { authorityOf, deviceOf, invitationFor, refusalOf, register } from "./membership.ts"
import { isMessage, pair, schemaIs, initHost, ScenarioFixture } from "./scenario-fixture.ts"

describe.skipIf(rabbitIsMissing())("a registrar with RabbitMQ", () => {
  const fixture = new ScenarioFixture()
  const [alice, bob, carol] = [fixture.user("alice"), fixture.user("bob"), fixture.user("carol")]
  let cluster: Epmd
  let rabbit: Rabbit

  beforeAll(async () => {
    const authority = await authorityOf(alice)
    const authPort = await freePort()
    cluster = await startEpmd()
    rabbit = await startRabbit(cluster, "rabbit", { authority, authPort })
    const at = ["--broker", `127.0.0.1:${String(rabbit.port)}`]
    const registrar = alice.start(["registrar", ...at, "--rabbitmq", String(authPort), "--json"])
    await registrar.waitForOutput(schemaIs("registrar"))
    await initHost(alice)
  })
  afterAll(async () => {
    await fixture.end()
    await rabbit.close()
    await cluster.close()
  })

  test("admits users by code and by invitation; they pair, and waiting messages outlive a restart", async () => {
    expect(await pair(alice, bob)).toHaveLength(4)
    await register(carol, await invitationFor(alice, "carol"))
    await pair(bob, carol)
    await alice.runJson("send", "bob", "over RabbitMQ")
    await carol.runJson("send", "bob", "from Carol")
    await rabbit.restart("SIGTERM")
    const follower = bob.start(["inbox", "--follow", "--json"])
    await follower.waitForOutput(isMessage("over RabbitMQ"))
    await follower.waitForOutput(isMessage("from Carol"))
    follower.kill("SIGINT")
    await follower.finished()
  })

  test("revokes a connected user, and drops waiting messages", async () => {
    const follower = carol.start(["inbox", "--follow", "--json"])
    expect(await carol.runJson("status")).toMatchObject([{ connection: { kind: "online" } }])
    const device = await deviceOf(alice, "carol")
    expect(await alice.runJson("broker", "revoke", "carol")).toMatchObject([
      { devices: [device], reason: null },
    ])
    expect(await refusalOf(carol)).toContain("does not accept this device")
    expect(rabbit.control("list_queues", "name")).not.toContain(device)
    follower.kill("SIGINT")
  })
})
