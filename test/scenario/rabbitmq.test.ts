import { afterAll, beforeAll, describe, expect, test, vi } from "vitest"
import { freePort } from "../mosquitto.ts"
import { type Burrow, dig, type Rabbit, rabbitIsMissing, startRabbit } from "../rabbit.ts"
import { authorityOf, deviceOf, invitationFor, refusalOf, register } from "./membership.ts"
import { isMessage, pair, schemaIs, settle, Story } from "./people.ts"

// A whole RabbitMQ on two shared cores: a ceiling, no verdict on speed.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

describe.skipIf(rabbitIsMissing())("a registrar beside RabbitMQ", () => {
  const story = new Story()
  const [alice, bob, carol] = [story.person("alice"), story.person("bob"), story.person("carol")]
  let burrow: Burrow
  let rabbit: Rabbit

  beforeAll(async () => {
    const authority = await authorityOf(alice)
    const doorPort = await freePort()
    burrow = await dig()
    rabbit = await startRabbit(burrow, "rabbit", { authority, doorPort })
    const at = ["--broker", `127.0.0.1:${String(rabbit.port)}`]
    const registrar = alice.start(["registrar", ...at, "--rabbitmq", String(doorPort), "--json"])
    await registrar.hears(schemaIs("registrar"))
    await settle(alice)
  })
  afterAll(async () => {
    await story.end()
    await rabbit.close()
    await burrow.close()
  })

  test("lets people in by code and by invitation; they meet, and what waits outlives a restart", async () => {
    expect(await pair(alice, bob)).toHaveLength(4)
    await register(carol, await invitationFor(alice, "carol"))
    await pair(bob, carol)
    await alice.tell("send", "bob", "over RabbitMQ")
    await carol.tell("send", "bob", "from Carol")
    await rabbit.restart("SIGTERM")
    const hearing = bob.start(["inbox", "--follow", "--json"])
    await hearing.hears(isMessage("over RabbitMQ"))
    await hearing.hears(isMessage("from Carol"))
    hearing.kill("SIGINT")
    await hearing.finished()
  })

  test("shuts somebody out who is connected, and drops what waits", async () => {
    const hearing = carol.start(["inbox", "--follow", "--json"])
    expect(await carol.tell("status")).toMatchObject([{ link: { kind: "online" } }])
    const device = await deviceOf(alice, "carol")
    expect(await alice.tell("broker", "revoke", "carol")).toMatchObject([
      { devices: [device], trouble: null },
    ])
    expect(await refusalOf(carol)).toContain("does not accept this device")
    expect(rabbit.control("list_queues", "name")).not.toContain(device)
    hearing.kill("SIGINT")
  })
})
