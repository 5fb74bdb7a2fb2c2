import { createServer, type AddressInfo } from "node:net"
import { once } from "node:events"
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { connectMqtt } from "../../src/transport/mqtt.ts"
import type { ConnectTarget, Credential } from "../../src/transport/transport.ts"
import { newId } from "../broker/broker-fixture.ts"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { openTransport, type TransportFixture } from "./transport-fixture.ts"

const INSECURE = { kind: "insecure" } as const
const NO_EVENTS = { onFrame: () => Promise.resolve(), onState: () => undefined }

function account(username: string, password: string): Credential {
  return { kind: "account", deviceId: newId(), username, password }
}

function connect(port: number, change: Partial<ConnectTarget>): TransportFixture {
  const address = { host: "127.0.0.1", port }
  const client = openTransport({ address, trust: INSECURE, credential: { kind: "guest" }, ...change })
  onTestFinished(client.close)
  return client
}

describe.skipIf(mosquittoIsMissing())("a Mosquitto without TLS", () => {
  let plain: Mosquitto
  let secured: Mosquitto
  beforeAll(async () => {
    ;[plain, secured] = await Promise.all([startMosquitto("plain"), startMosquitto("accounts")])
  })
  afterAll(() => Promise.all([plain, secured].map((broker) => broker.close())))

  test("takes an account, and gives frames back after it was restarted", async () => {
    const alice = connect(plain.port, { credential: account("alice", "correct") })
    await alice.state("online")
    await plain.restart("SIGTERM")
    await alice.transport.subscribe("t")
    await alice.state("online")
    await alice.publish("t", Uint8Array.of(1, 2))
    expect(await alice.frame()).toMatchObject({ topic: "t" })
    expect(alice.transport.serverPins()).toEqual([])
  })

  test("refuses a wrong password for good", async () => {
    const alice = connect(plain.port, { credential: account("alice", "wrong") })
    expect((await alice.state("stopped")).why).toMatchObject({ code: "refused" })
  })

  test("is named when TLS was asked for, and TLS when it was not", async () => {
    const asked = connect(plain.port, { trust: { kind: "unproven" } })
    expect((await asked.state("offline")).why.message).toContain("at the first bytes of TLS")
    const notAsked = connect(secured.port, {})
    expect((await notAsked.state("offline")).why.message).toContain("at the first bytes of MQTT without TLS")
  })
})

test("a server that answers with a TLS alert is named", async () => {
  const alert = Uint8Array.of(0x15, 3, 3, 0, 2, 2, 70)
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy())
    socket.once("data", () => socket.end(alert))
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  onTestFinished(() => void server.close())
  const client = connect((server.address() as AddressInfo).port, {})
  expect((await client.state("offline")).why.message).toContain("at the first bytes of MQTT without TLS")
})

test("a certificate is never meant for a connection without TLS [P-28]", () => {
  const device = { kind: "device", deviceId: newId(), certificate: "", key: "" } as const
  const target = { address: { host: "127.0.0.1", port: 1 }, trust: INSECURE, credential: device }
  expect(() => connectMqtt(target, NO_EVENTS)).toThrow("without TLS")
})
