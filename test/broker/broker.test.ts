import { X509Certificate } from "node:crypto"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { once } from "node:events"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Broker } from "../../src/broker/broker.ts"
import { makeServerCertificate, pinOf, type ServerCertificate } from "../../src/broker/certificates.ts"
import { renewIfDue } from "../../src/broker/renewal.ts"
import {
  connect,
  type Device,
  newId,
  newBrokerFixture,
  optionsFor,
  type TestClient,
  portOf,
  type BrokerFixture,
} from "./broker-fixture.ts"

const DAY = 24 * 60 * 60 * 1000

/** Serial number of the certificate that the broker showed to a client. */
function serial(testClient: TestClient): string {
  return (testClient.client.stream as TLSSocket).getPeerCertificate().serialNumber
}

describe("the embedded broker", () => {
  let fixture: BrokerFixture
  let broker: Broker
  let alice: Device
  let bob: Device

  beforeAll(async () => {
    fixture = await newBrokerFixture()
    alice = await fixture.device()
    bob = await fixture.device()
    broker = await fixture.start()
  })
  afterAll(() => fixture.end())

  test("carries a message from one device to the inbox of another", async () => {
    const toBob = `mc/1/i/${bob.id}/${newId()}`
    const atBob = await connect(optionsFor(fixture, portOf(broker), bob))
    await atBob.client.subscribeAsync(`mc/1/i/${bob.id}/+`, { qos: 1 })
    const atAlice = await connect(optionsFor(fixture, portOf(broker), alice))
    await atAlice.client.publishAsync(toBob, "hello", { qos: 1 })
    expect(await atBob.waitFor(1)).toEqual([`${toBob} hello`])
    await atAlice.client.endAsync()
    await atBob.client.endAsync()
  })

  test("shows its authority, whose key can be pinned, over TLS 1.3 with ALPN mqtt", async () => {
    const socket = connectTls({
      host: "127.0.0.1",
      port: portOf(broker),
      // The client does not have the authority, so whatever it sees of it came from the server.
      rejectUnauthorized: false,
      ALPNProtocols: ["mqtt"],
    })
    await once(socket, "secureConnect")
    const shown = socket.getPeerX509Certificate()
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(["TLSv1.3", "mqtt"])
    expect(pinOf(shown?.issuerCertificate?.toString() ?? "")).toEqual(pinOf(fixture.authority.caCertificate))
    socket.destroy()
  })

  test("switches to another certificate of the same authority without a restart or a lost connection", async () => {
    const toBob = `mc/1/i/${bob.id}/${newId()}`
    const before = await connect(optionsFor(fixture, portOf(broker), bob))
    await before.client.subscribeAsync(toBob, { qos: 1 })
    expect((broker.stats().certificateExpiresAt - Date.now()) / DAY).toBeGreaterThan(395)
    const made = await makeServerCertificate(fixture.authority, ["127.0.0.1"])
    broker.renew(made)
    const after = await connect(optionsFor(fixture, portOf(broker), alice))
    const { serialNumber, validTo } = new X509Certificate(made.certificate)
    expect(serial(after)).toBe(serialNumber)
    expect(serial(before)).not.toBe(serialNumber)
    expect(broker.stats().certificateExpiresAt).toBe(Date.parse(validTo))
    await after.client.publishAsync(toBob, "still there", { qos: 1 })
    expect(await before.waitFor(1)).toEqual([`${toBob} still there`])
    for (const { client } of [before, after]) await client.endAsync()
  })

  test("renews its certificate thirty days before the end, and not a day earlier", async () => {
    const made: ServerCertificate[] = []
    const make = async (): Promise<ServerCertificate> => {
      const certificate = await makeServerCertificate(fixture.authority, ["127.0.0.1"])
      made.push(certificate)
      return certificate
    }
    const until = broker.stats().certificateExpiresAt
    expect(await renewIfDue(broker, make, until - 31 * DAY)).toBe(false)
    expect(made).toEqual([])
    expect(await renewIfDue(broker, make, until - 30 * DAY)).toBe(true)
    const after = await connect(optionsFor(fixture, portOf(broker), alice))
    expect(made.map(({ certificate }) => new X509Certificate(certificate).serialNumber)).toEqual([
      serial(after),
    ])
    await after.client.endAsync()
  })

  test("replaces a certificate that was made while its machine's clock was ahead: no one would take it [D-110]", async () => {
    const make = (): Promise<ServerCertificate> => makeServerCertificate(fixture.authority, ["127.0.0.1"])
    const from = broker.stats().certificateValidFrom
    expect(await renewIfDue(broker, make, from)).toBe(false)
    expect(await renewIfDue(broker, make, from - 1)).toBe(true)
  })

  test("counts connected clients and messages", async () => {
    const before = broker.stats()
    const [atAlice, guest] = [
      await connect(optionsFor(fixture, portOf(broker), alice)),
      await connect(optionsFor(fixture, portOf(broker))),
    ]
    const topic = `mc/1/i/${alice.id}/${newId()}`
    await atAlice.client.subscribeAsync(topic, { qos: 1 })
    await atAlice.client.publishAsync(topic, "12345", { qos: 1 })
    await atAlice.waitFor(1)
    const { connections, received, sent } = broker.stats()
    expect(connections).toEqual({ device: 1, guest: 1, registrar: 0, refused: 0 })
    expect(received.messages - before.received.messages).toBe(1)
    expect(received.bytes - before.received.bytes).toBe(5)
    expect(sent.messages - before.sent.messages).toBe(1)
    expect(received.perSecond).toBeGreaterThan(0)
    for (const { client } of [atAlice, guest]) await client.endAsync()
  })
})
