import { connect as connectTls } from "node:tls"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { makeAuthority } from "../../src/broker/certificates.ts"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import {
  connect,
  type Device,
  mint,
  newId,
  type Options,
  optionsFor,
  type TestClient,
} from "./broker-fixture.ts"

describe.skipIf(mosquittoIsMissing())("Mosquitto with the files that we ship", () => {
  let broker: Mosquitto
  let alice: Device
  let bob: Device
  let mallory: Device

  beforeAll(async () => {
    broker = await startMosquitto("shipped")
    alice = await mint(broker.authority, newId())
    bob = await mint(broker.authority, newId())
    mallory = await mint(broker.authority, newId())
  })
  afterAll(() => broker.close())

  const options = (device: Device): Options => optionsFor(broker, broker.port, device)
  const join = (device: Device): Promise<TestClient> => connect(options(device))
  const guest = (): Promise<TestClient> => connect(optionsFor(broker, broker.guestPort))
  const inbox = (device: Device): string => `mc/1/i/${device.id}/${newId()}`

  /** Mosquitto grants every subscription and acknowledges every message: only what arrives counts. */
  async function receivedBefore(
    testClient: TestClient,
    marker: string,
    send: () => Promise<unknown>,
  ): Promise<string[]> {
    await send()
    while (!testClient.received.some((line) => line.endsWith(` ${marker}`)))
      await testClient.waitFor(testClient.received.length + 1)
    return testClient.received.filter((line) => !line.endsWith(` ${marker}`))
  }

  async function isRefused(asked: Options): Promise<boolean> {
    return connect(asked).then(
      async (testClient) => {
        // In TLS 1.3 a client is done before the server has looked at its certificate.
        const refused = await Promise.race([testClient.closed, testClient.client.subscribeAsync("mc/1/p/1")])
        await testClient.client.endAsync(true)
        return refused === "closed"
      },
      () => true,
    )
  }

  test("carries a message to an inbox, and keeps it for a device that is offline, through a restart", async () => {
    const toBob = inbox(bob)
    const before = await join(bob)
    await before.client.subscribeAsync(toBob, { qos: 1 })
    await before.client.endAsync()
    const atAlice = await join(alice)
    await atAlice.client.publishAsync(toBob, "kept", { qos: 1 })
    await atAlice.client.endAsync()
    await broker.restart("SIGTERM")
    const after = await join(bob)
    expect(await after.waitFor(1)).toEqual([`${toBob} kept`])
    await after.client.endAsync()
  })

  test("refuses connections to the device listener without a certificate of ours, or below TLS 1.3", async () => {
    const stranger = await mint(await makeAuthority(), newId())
    expect(await isRefused(options(alice))).toBe(false)
    expect(await isRefused(options(stranger))).toBe(true)
    expect(await isRefused(optionsFor(broker, broker.port))).toBe(true)
    const old = connectTls({
      host: "127.0.0.1",
      port: broker.port,
      ca: broker.authority.caCertificate,
      maxVersion: "TLSv1.2",
    })
    const failure = await new Promise((resolve) => {
      old.once("error", resolve)
      old.once("secureConnect", () => resolve("connected"))
    })
    expect(failure).toMatchObject({ code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" })
  })

  test("delivers nothing from another inbox, from $SYS or from a registration", async () => {
    const own = inbox(mallory)
    const atMallory = await join(mallory)
    const greedy = [
      "#",
      "+/+/+/+/+",
      "mc/1/i/+/+",
      `mc/1/i/${bob.id}/+`,
      "mc/1/reg/+/+",
      "$SYS/#",
      `$share/g/mc/1/i/#`,
    ]
    for (const filter of [...greedy, own])
      await atMallory.client.subscribeAsync(filter, { qos: 1 }).catch(() => [])
    const atAlice = await join(alice)
    const received = await receivedBefore(atMallory, "marker", async () => {
      await atAlice.client.publishAsync(inbox(bob), "secret", { qos: 1 })
      await atAlice.client.publishAsync(`mc/1/reg/q/${alice.id}`, "request", { qos: 1 })
      await atAlice.client.publishAsync(own, "marker", { qos: 1 })
    })
    expect(received).toEqual([])
    for (const { client } of [atMallory, atAlice]) await client.endAsync()
  })

  test("takes the client id from the certificate: no other session can be taken over", async () => {
    const toAlice = inbox(alice)
    const atAlice = await join(alice)
    await atAlice.client.subscribeAsync(toAlice, { qos: 1 })
    const impostor = await connect({ ...options(mallory), clientId: alice.id })
    const received = await receivedBefore(atAlice, "still there?", () =>
      impostor.client.publishAsync(toAlice, "still there?", { qos: 1 }),
    )
    expect(received).toEqual([])
    expect(atAlice.client.connected).toBe(true)
    for (const { client } of [atAlice, impostor]) await client.endAsync()
  })

  test("lets a guest pair and register, and reach no inbox", async () => {
    const id = newId()
    const toAlice = inbox(alice)
    const [atGuest, atAlice, registrar] = [
      await guest(),
      await join(alice),
      await join(await mint(broker.authority, "registrar")),
    ]
    await atAlice.client.subscribeAsync(["mc/1/p/77", toAlice], { qos: 1 })
    await registrar.client.subscribeAsync("mc/1/reg/q/+", { qos: 1 })
    await atGuest.client.subscribeAsync(["mc/1/p/77", `mc/1/reg/a/${id}`, toAlice], { qos: 1 })
    await atGuest.client.publishAsync(toAlice, "not let in", { qos: 1 })
    await atGuest.client.publishAsync(`mc/1/reg/q/${id}`, "let me in", { qos: 1 })
    await atGuest.client.publishAsync("mc/1/p/77", "guest", { qos: 1 })
    expect(await atAlice.waitFor(1)).toEqual(["mc/1/p/77 guest"])
    expect(await registrar.waitFor(1)).toEqual([`mc/1/reg/q/${id} let me in`])
    await registrar.client.publishAsync(`mc/1/reg/a/${id}`, "come", { qos: 1 })
    await atAlice.client.publishAsync(toAlice, "to herself", { qos: 1 })
    expect(await atGuest.waitFor(2)).toEqual(["mc/1/p/77 guest", `mc/1/reg/a/${id} come`])
    await atAlice.waitFor(2)
    for (const { client } of [atGuest, atAlice, registrar]) await client.endAsync()
  })

  test("a guest under a device's client id gets nothing that waits for the device", async () => {
    const toBob = inbox(bob)
    const before = await join(bob)
    await before.client.subscribeAsync(toBob, { qos: 1 })
    await before.client.endAsync()
    const atAlice = await join(alice)
    await atAlice.client.publishAsync(toBob, "secret", { qos: 1 })
    const impostor = await connect({
      ...optionsFor(broker, broker.guestPort),
      clientId: bob.id,
      clean: false,
    })
    await impostor.client.subscribeAsync("mc/1/p/78", { qos: 1 })
    const received = await receivedBefore(impostor, "marker", () =>
      atAlice.client.publishAsync("mc/1/p/78", "marker", { qos: 1 }),
    )
    expect(received).toEqual([])
    for (const { client } of [impostor, atAlice]) await client.endAsync(true)
  })

  test("ends the connection of a client that retains a message, or sends one longer than any frame", async () => {
    for (const [payload, retain] of [
      ["x", true],
      ["x".repeat(70_000), false],
    ] as const) {
      const atMallory = await join(mallory)
      atMallory.client.publish(inbox(bob), payload, { qos: 1, retain })
      await atMallory.closed
      await atMallory.client.endAsync(true)
    }
  })
})
