import { once } from "node:events"
import { request } from "node:https"
import { connect as connectTls } from "node:tls"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Broker } from "../../src/broker/broker.ts"
import { PACKET_MAX_BYTES } from "../../src/broker/limits/packet-size-guard.ts"
import { limitsFor } from "../../src/broker/limits/limits.ts"
import {
  connect,
  type Device,
  newId,
  newBrokerFixture,
  type Options,
  optionsFor,
  type BrokerFixture,
} from "./broker-fixture.ts"

describe("MQTT over WebSocket", () => {
  let fixture: BrokerFixture
  let broker: Broker
  let alice: Device
  let bob: Device
  let port: number
  let webPort: number

  beforeAll(async () => {
    fixture = await newBrokerFixture()
    alice = await fixture.device()
    bob = await fixture.device()
    const at = { host: "127.0.0.1", port: 0 }
    const limits = { ...limitsFor(10_000), connectTimeoutMs: 1_000 }
    broker = await fixture.start({ listen: [at, { ...at, webSocket: true }], limits })
    ;[port = 0, webPort = 0] = broker.ports
  })
  afterAll(() => fixture.end())

  function overWeb(device?: Device): Options {
    const options = optionsFor(fixture, webPort, device)
    const { ca, cert, key } = options
    return {
      ...options,
      ALPNProtocols: ["http/1.1"],
      protocol: "wss",
      path: "/mqtt",
      wsOptions: { ca, cert, key },
    }
  }

  test("carries messages both ways between it and plain TLS", async () => {
    const [toAlice, toBob] = [`mc/1/i/${alice.id}/${newId()}`, `mc/1/i/${bob.id}/${newId()}`]
    const atAlice = await connect(overWeb(alice))
    const atBob = await connect(optionsFor(fixture, port, bob))
    await atAlice.client.subscribeAsync(toAlice, { qos: 1 })
    await atBob.client.subscribeAsync(toBob, { qos: 1 })
    await atAlice.client.publishAsync(toBob, "x".repeat(60_000), { qos: 1 })
    await atBob.client.publishAsync(toAlice, "back", { qos: 1 })
    expect(await atBob.waitFor(1)).toEqual([`${toBob} ${"x".repeat(60_000)}`])
    expect(await atAlice.waitFor(1)).toEqual([`${toAlice} back`])
    expect(broker.stats().connections).toMatchObject({ device: 2 })
    for (const { client } of [atAlice, atBob]) await client.endAsync()
  })

  test("ties the client id to the certificate as over TCP, and lets guests only pair", async () => {
    await expect(connect({ ...overWeb(bob), clientId: alice.id })).rejects.toMatchObject({ code: 2 })
    const guest = await connect(overWeb())
    await guest.client.subscribeAsync("mc/1/p/12", { qos: 1 })
    await expect(guest.client.subscribeAsync(`mc/1/i/${alice.id}/+`, { qos: 1 })).rejects.toThrow()
    await guest.client.endAsync(true)
  })

  test("keeps the limit on packets", async () => {
    const atAlice = await connect(overWeb(alice))
    const topic = `mc/1/i/${bob.id}/${newId()}`
    atAlice.client.publish(topic, Buffer.alloc(PACKET_MAX_BYTES + 1), { qos: 0 })
    expect(await atAlice.closed).toBe("closed")
  })

  async function statusOf(headers: Record<string, string>): Promise<number | undefined> {
    const asked = request({ host: "127.0.0.1", port: webPort, ca: fixture.authority.caCertificate, headers })
    asked.end()
    const answer = new Promise<number | undefined>((resolve, reject) => {
      asked.once("response", (response) => resolve(response.resume().statusCode))
      asked.once("upgrade", (response) => resolve(response.statusCode))
      asked.once("error", reject)
    })
    const status = await answer
    asked.destroy()
    return status
  }

  test("is refused to clients that do not speak MQTT, and to web pages", async () => {
    const upgrade = {
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": Buffer.alloc(16).toString("base64"),
      "Sec-WebSocket-Protocol": "mqtt",
    }
    expect(await statusOf(upgrade)).toBe(101)
    expect(await statusOf({})).toBe(426)
    expect(await statusOf({ ...upgrade, Origin: "https://mallory.example" })).toBe(403)
    expect(await statusOf({ ...upgrade, "Sec-WebSocket-Protocol": "chat" })).toBe(403)
  })

  test("a refused connection is closed, though the client keeps its side open", async () => {
    const at = { host: "127.0.0.1", port: webPort, ca: fixture.authority.caCertificate, allowHalfOpen: true }
    const mallory = connectTls(at)
    let answer = ""
    mallory
      .on("error", () => undefined)
      .setEncoding("utf8")
      .on("data", (text: string) => (answer += text))
    await once(mallory, "secureConnect")
    mallory.write("GET /mqtt HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: x\r\n\r\n")
    await once(mallory, "end")
    const still = setInterval(() => mallory.write("still here"), 20)
    await new Promise((closed) => mallory.once("close", closed))
    clearInterval(still)
    expect(answer).toMatch(/^HTTP\/1\.1 403 /)
  })

  test("a connection that does not ask for WebSocket in time is closed", async () => {
    const silent = connectTls({ host: "127.0.0.1", port: webPort, ca: fixture.authority.caCertificate })
    let answer = ""
    silent
      .on("error", () => undefined)
      .setEncoding("utf8")
      .on("data", (text: string) => (answer += text))
    await once(silent, "secureConnect")
    silent.write("GET / HTTP/1.1\r\n")
    await new Promise((closed) => silent.once("close", closed))
    expect(answer).toBe("")
  })
})
