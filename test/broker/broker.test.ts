import { connect as connectTls } from "node:tls"
import { once } from "node:events"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Broker } from "../../src/broker/broker.ts"
import { pinOf } from "../../src/broker/certificates.ts"
import { connect, type Device, newId, newWorld, optionsFor, portOf, type World } from "./world.ts"

describe("the embedded broker", () => {
  let world: World
  let broker: Broker
  let alice: Device
  let bob: Device

  beforeAll(async () => {
    world = await newWorld()
    alice = await world.device()
    bob = await world.device()
    broker = await world.start()
  })
  afterAll(() => world.end())

  test("carries a message from one device to the inbox of another", async () => {
    const toBob = `mc/1/i/${bob.id}/${newId()}`
    const atBob = await connect(optionsFor(world, portOf(broker), bob))
    await atBob.client.subscribeAsync(`mc/1/i/${bob.id}/+`, { qos: 1 })
    const atAlice = await connect(optionsFor(world, portOf(broker), alice))
    await atAlice.client.publishAsync(toBob, "hello", { qos: 1 })
    expect(await atBob.hear(1)).toEqual([`${toBob} hello`])
    await atAlice.client.endAsync()
    await atBob.client.endAsync()
  })

  test("shows its authority, whose key can be pinned, over TLS 1.3 with ALPN mqtt", async () => {
    const socket = connectTls({
      host: "127.0.0.1",
      port: portOf(broker),
      // Without the authority at hand, what is seen of it is what the server sent.
      rejectUnauthorized: false,
      ALPNProtocols: ["mqtt"],
    })
    await once(socket, "secureConnect")
    const shown = socket.getPeerX509Certificate()
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(["TLSv1.3", "mqtt"])
    expect(pinOf(shown?.issuerCertificate?.toString() ?? "")).toEqual(pinOf(world.authority.caCertificate))
    socket.destroy()
  })
})
