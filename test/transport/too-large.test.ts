import { expect, onTestFinished, test } from "vitest"
import { makeServerCertificate, pinOf } from "../../src/broker/certificates.ts"
import { codeOf, CUT_OFF } from "../../src/errors.ts"
import { IN_FLIGHT_MAX } from "../../src/transport/window.ts"
import { newBrokerFixture, newId } from "../broker/broker-fixture.ts"
import { startScriptedServer } from "./scripted-servers.ts"
import { faultOf, openTransport } from "./transport-fixture.ts"

/** CONNACK of MQTT 5, with a maximum packet size of 20,000 and without one. */
const OF_20_000 = Buffer.from([0x20, 8, 0, 0, 5, 0x27, 0, 0, 0x4e, 0x20])
const UNLIMITED = Buffer.from([0x20, 3, 0, 0, 0])
/** DISCONNECT: packet too large. */
const TOO_LARGE = Buffer.from([0xe0, 2, 149, 0])
const TOPIC = `mc/1/i/${newId()}/${newId()}`
/** PUBLISH at QoS 1 without properties. */
const OVERHEAD = 10 + TOPIC.length

/** A connection to a broker that answers CONNECT and nothing else. */
async function connected(connack: Buffer) {
  const fixture = await newBrokerFixture()
  const { certificate, key } = await makeServerCertificate(fixture.authority, ["127.0.0.1"])
  const chain = `${certificate}\n${fixture.authority.caCertificate}`
  const server = await startScriptedServer({ cert: chain, key }, () => connack)
  const client = openTransport({
    address: { host: "127.0.0.1", port: server.port },
    trust: { kind: "pin", pin: pinOf(fixture.authority.caCertificate) },
    credential: { kind: "account", deviceId: newId() },
  })
  onTestFinished(async () => {
    await client.close()
    await server.close()
    await fixture.end()
  })
  const online = await client.state("online")
  return { client, online, socket: () => server.clients.at(-1)?.socket }
}

test("[D-122] what is larger than the broker takes is refused before it is sent, and the connection stays", async () => {
  const { client, online } = await connected(OF_20_000)
  expect(online).toMatchObject({ mqttVersion: 5, maximumPacketSize: 20_000 })
  const longest = faultOf(client.publish(TOPIC, Buffer.alloc(20_000 - OVERHEAD)))
  const refused = await faultOf(client.publish(TOPIC, Buffer.alloc(20_001 - OVERHEAD)))
  expect([refused.code, codeOf(refused.cause)]).toEqual(["refused", 149])
  expect(client.states).toHaveLength(1)
  await client.close()
  expect((await longest).code).toBe("unavailable")
})

test("[D-122] of the messages that wait when a connection ends, those under way are named, with the broker's reason", async () => {
  for (const [bytes, code] of [
    [TOO_LARGE, 149],
    [Buffer.alloc(0), CUT_OFF],
  ] as const) {
    const { client, online, socket } = await connected(UNLIMITED)
    expect(online.maximumPacketSize).toBeUndefined()
    const sent = Array.from({ length: 20 }, () => faultOf(client.publish(TOPIC, Buffer.from("x"))))
    socket()?.end(bytes)
    const faults = await Promise.all(sent)
    expect(faults.every((fault) => fault.code === "unavailable")).toBe(true)
    const codes = faults.map(({ cause }) => codeOf(cause))
    expect(codes).toEqual(codes.map((_, n) => (n < IN_FLIGHT_MAX ? code : undefined)))
  }
})
