import { once } from "node:events"
import { connect as connectTcp } from "node:net"
import { connect as connectTls, type TLSSocket } from "node:tls"
import * as x509 from "@peculiar/x509"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Broker } from "../../src/broker/broker.ts"
import { makeAuthority } from "../../src/broker/certificates.ts"
import {
  connect,
  type Device,
  mint,
  newId,
  newBrokerFixture,
  NO_LIMIT,
  type Options,
  optionsFor,
  type TestClient,
  portOf,
  type BrokerFixture,
} from "./broker-fixture.ts"

describe("who may connect, and do what", () => {
  let fixture: BrokerFixture
  let broker: Broker
  let alice: Device
  let seen: string[] = []

  beforeAll(async () => {
    fixture = await newBrokerFixture()
    alice = await fixture.device()
    broker = await fixture.start({
      observe: (topic, payload, from) => seen.push(`${from} ${topic} ${Buffer.from(payload).toString()}`),
    })
  })
  afterAll(() => fixture.end())

  const options = (device?: Device): Options => optionsFor(fixture, portOf(broker), device)
  const guest = (): Promise<TestClient> => connect(options())
  const join = (device: Device): Promise<TestClient> => connect(options(device))

  /** The return code of CONNACK, or a word for what happened instead. */
  async function answerTo(asked: Options): Promise<unknown> {
    try {
      const testClient = await connect(asked)
      await testClient.client.endAsync(true)
      return 0
    } catch (error) {
      return error instanceof Error && "code" in error ? error.code : error
    }
  }

  async function grantTo(testClient: TestClient, filter: string): Promise<boolean> {
    return testClient.client.subscribeAsync(filter, { qos: 1 }).then(
      () => true,
      () => false,
    )
  }

  /** True if it was acknowledged, false if the broker ended the connection instead. */
  async function publishes(
    testClient: TestClient,
    topic: string,
    more: { retain?: boolean; qos?: 1 | 2 } = {},
  ): Promise<boolean> {
    const done = testClient.client.publishAsync(topic, "?", { qos: 1, ...more }).then(
      () => true,
      () => false,
    )
    return Promise.race([done, testClient.closed.then(() => false)])
  }

  test("a certificate that does not verify, has run out, is for servers or names no device is refused by CONNACK 2", async () => {
    const stranger = await mint(await makeAuthority(), newId())
    const old = await mint(
      fixture.authority,
      newId(),
      x509.ExtendedKeyUsage.clientAuth,
      new Date(Date.now() - 1000),
    )
    const server = await mint(fixture.authority, newId(), x509.ExtendedKeyUsage.serverAuth)
    const unknownDevice = await mint(fixture.authority, "alice")
    for (const device of [stranger, old, server, unknownDevice])
      expect(await answerTo(options(device))).toBe(2)
    expect(await answerTo(options(alice))).toBe(0)
  })

  test("a client id that is not the certificate's name is refused by CONNACK 2", async () => {
    expect(await answerTo({ ...options(alice), clientId: newId() })).toBe(2)
    expect(await answerTo({ ...options(alice), clientId: "registrar" })).toBe(2)
    expect(await answerTo({ ...options(await fixture.device("registrar")), clientId: newId() })).toBe(2)
  })

  test("accounts, wills and MQTT 5 are refused, each with its code [W-11]", async () => {
    expect(await answerTo({ ...options(), username: "alice", password: "x" })).toBe(4)
    const will = {
      topic: `mc/1/i/${alice.id}/${newId()}`,
      payload: Buffer.from("gone"),
      qos: 0,
      retain: false,
    } as const
    expect(await answerTo({ ...options(alice), will })).toBe(5)
    expect(await answerTo({ ...options(alice), protocolVersion: 5 })).toBe(1)
  })

  test("TLS 1.2 and another application protocol get no handshake", async () => {
    const port = portOf(broker)
    const failure = async (socket: TLSSocket): Promise<unknown> =>
      new Promise((resolve) => {
        socket.once("error", resolve)
        socket.once("secureConnect", () => resolve("connected"))
      })
    const ca = fixture.authority.caCertificate
    expect(await failure(connectTls({ port, ca, host: "127.0.0.1", maxVersion: "TLSv1.2" }))).toMatchObject({
      code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
    })
    expect(
      await failure(connectTls({ port, ca, host: "127.0.0.1", ALPNProtocols: ["http/1.1"] })),
    ).toMatchObject({
      code: "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    })
  })

  async function ticketOf(device: Device): Promise<Buffer> {
    const socket = connectTls({
      host: "127.0.0.1",
      port: portOf(broker),
      ca: fixture.authority.caCertificate,
      cert: device.certificate,
      key: device.key,
    })
    const [ticket] = (await once(socket, "session")) as [Buffer]
    socket.destroy()
    return ticket
  }

  test("a resumed TLS session is still the same device, and no other", async () => {
    // Without the certificate: only the ticket identifies this client.
    const resumed = { ...options(), session: await ticketOf(alice), clean: false }
    const testClient = await connect({ ...resumed, clientId: alice.id })
    expect((testClient.client.stream as TLSSocket).isSessionReused()).toBe(true)
    expect(await grantTo(testClient, `mc/1/i/${alice.id}/+`)).toBe(true)
    await testClient.client.endAsync()
    expect(await answerTo({ ...resumed, clientId: newId() })).toBe(2)
  })

  test("a certificate that does not verify is no better in a resumed session", async () => {
    const stranger = await mint(await makeAuthority(), alice.id)
    const session = await ticketOf(stranger)
    expect(await answerTo({ ...options(), session, clean: false, clientId: alice.id })).toBe(2)
  })

  test("a device reads its own inbox and registration answers, and no others", async () => {
    const bob = await fixture.device()
    const mine = [
      `mc/1/i/${alice.id}/${newId()}`,
      `mc/1/i/${alice.id}/+`,
      `mc/1/reg/a/${alice.id}`,
      "mc/1/p/4711",
    ]
    const others = [
      `mc/1/i/${bob.id}/${newId()}`,
      `mc/1/i/${bob.id}/+`,
      "mc/1/i/+/+",
      `mc/1/i/${alice.id}/#`,
      "#",
      "+/+/+/+/+",
      "mc/1/p/+",
      "mc/1/reg/q/+",
      `mc/1/reg/q/${alice.id}`,
      "mc/1/reg/a/+",
      "$SYS/#",
      `$share/g/mc/1/i/${bob.id}/+`,
    ]
    const atAlice = await join(alice)
    for (const filter of mine) expect([filter, await grantTo(atAlice, filter)]).toEqual([filter, true])
    for (const filter of others) expect([filter, await grantTo(atAlice, filter)]).toEqual([filter, false])
    await atAlice.client.endAsync()
  })

  test("a device that publishes where it may not, retains, or uses QoS 2 is disconnected", async () => {
    const topic = `mc/1/i/${alice.id}/${newId()}`
    const attempts: [string, { retain?: boolean; qos?: 1 | 2 }][] = [
      [`mc/1/reg/a/${alice.id}`, {}],
      [`mc/1/reg/q/${newId()}`, {}],
      ["$SYS/x", {}],
      ["hello", {}],
      [topic, { retain: true }],
      [topic, { qos: 2 }],
    ]
    for (const [where, how] of attempts) {
      const mallory = await join(await fixture.device())
      expect([where, await publishes(mallory, where, how)]).toEqual([where, false])
      await mallory.client.endAsync(true)
    }
    const bob = await join(await fixture.device())
    for (const where of [topic, "mc/1/p/4711"]) expect(await publishes(bob, where)).toBe(true)
    await bob.client.endAsync()
  })

  test("a guest holds the first nameplate that it names, and no other on that connection", async () => {
    const atGuest = await guest()
    expect(await grantTo(atGuest, "mc/1/p/17")).toBe(true)
    expect(await publishes(atGuest, "mc/1/p/17")).toBe(true)
    expect(await atGuest.waitFor(1)).toEqual(["mc/1/p/17 ?"])
    expect(await publishes(atGuest, "mc/1/p/18")).toBe(false)
    await atGuest.client.endAsync(true)
  })

  test("a guest's first refusal ends its connection, after it was told", async () => {
    const refused = ["mc/1/p/+", "mc/1/p/18", `mc/1/i/${alice.id}/+`, "#", "$SYS/#", "mc/1/reg/q/+"]
    for (const filter of refused) {
      const atGuest = await guest()
      expect(await grantTo(atGuest, "mc/1/p/17")).toBe(true)
      expect([filter, await grantTo(atGuest, filter)]).toEqual([filter, false])
      expect(await atGuest.closed).toBe("closed")
    }
  })

  test("a guest that holds one nameplate receives nothing from another", async () => {
    const [watcher, inviter, newcomer] = [await guest(), await join(alice), await guest()]
    await watcher.client.subscribeAsync("mc/1/p/30", { qos: 1 })
    await inviter.client.subscribeAsync("mc/1/p/31", { qos: 1 })
    await newcomer.client.publishAsync("mc/1/p/31", "for the inviter", { qos: 1 })
    await inviter.waitFor(1)
    await inviter.client.publishAsync("mc/1/p/30", "for the watcher", { qos: 1 })
    expect(await watcher.waitFor(1)).toEqual(["mc/1/p/30 for the watcher"])
    for (const { client } of [watcher, inviter, newcomer]) await client.endAsync(true)
  })

  test("a guest reaches no inbox", async () => {
    const atGuest = await guest()
    expect(await grantTo(atGuest, `mc/1/i/${alice.id}/+`)).toBe(false)
    const another = await guest()
    expect(await publishes(another, `mc/1/i/${alice.id}/${newId()}`)).toBe(false)
    for (const { client } of [atGuest, another]) await client.endAsync(true)
  })

  test("a guest and the registrar exchange one registration", async () => {
    const id = newId()
    const registrar = await join(await fixture.device("registrar"))
    expect(await grantTo(registrar, "mc/1/reg/q/+")).toBe(true)
    expect(await grantTo(registrar, `mc/1/i/${alice.id}/+`)).toBe(false)
    const atGuest = await guest()
    expect(await grantTo(atGuest, `mc/1/reg/a/${id}`)).toBe(true)
    expect(await publishes(atGuest, `mc/1/reg/q/${id}`)).toBe(true)
    expect(await registrar.waitFor(1)).toEqual([`mc/1/reg/q/${id} ?`])
    expect(await publishes(registrar, `mc/1/reg/a/${id}`)).toBe(true)
    expect(await atGuest.waitFor(1)).toEqual([`mc/1/reg/a/${id} ?`])
    expect(await publishes(registrar, `mc/1/i/${alice.id}/${newId()}`)).toBe(false)
    expect(await grantTo(atGuest, `mc/1/reg/a/${newId()}`)).toBe(false)
    expect(await atGuest.closed).toBe("closed")
    for (const { client } of [registrar, atGuest]) await client.endAsync(true)
  })

  test("guests of one address share a budget, which does not count devices", async () => {
    const strict = await fixture.start({
      journalPath: `${fixture.folder}/strict`,
      guestLimits: { ...NO_LIMIT, connectionsAtOnce: 2, framesPerMinute: 3 },
    })
    const asGuest = optionsFor(fixture, portOf(strict))
    const [first, second] = [await connect(asGuest), await connect(asGuest)]
    expect(await answerTo(asGuest)).toBe(3)
    expect(await answerTo(optionsFor(fixture, portOf(strict), alice))).toBe(0)
    for (let frames = 0; frames < 3; frames++) expect(await publishes(first, "mc/1/p/1")).toBe(true)
    expect(await publishes(second, "mc/1/p/2")).toBe(false)
    await first.client.endAsync(true)
    await second.client.endAsync(true)
  })

  test("a guest that keeps pinging is disconnected when its time is over, and a device is not", async () => {
    const strict = await fixture.start({
      journalPath: `${fixture.folder}/brief`,
      guestLimits: { ...NO_LIMIT, connectionMaxMs: 300 },
    })
    const atAlice = await connect(optionsFor(fixture, portOf(strict), alice))
    const guest = await connect(optionsFor(fixture, portOf(strict)))
    const pings = setInterval(() => guest.client.sendPing(), 20)
    expect(await guest.closed).toBe("closed")
    clearInterval(pings)
    expect(await publishes(atAlice, `mc/1/i/${alice.id}/${newId()}`)).toBe(true)
    await atAlice.client.endAsync(true)
  })

  test("the observer receives topic, bytes and client id of what was accepted, and of nothing else", async () => {
    seen = []
    const topic = `mc/1/i/${alice.id}/${newId()}`
    const bob = await fixture.device()
    const atBob = await join(bob)
    await atBob.client.publishAsync(topic, "sealed", { qos: 1 })
    await publishes(atBob, "not/ours")
    await atBob.client.endAsync(true)
    expect(seen).toEqual([`${bob.id} ${topic} sealed`])
  })

  test("an address in use, or not of this machine, is reported as unavailable", async () => {
    const port = portOf(broker)
    const again = fixture.start({
      listen: [{ host: "127.0.0.1", port }],
      journalPath: `${fixture.folder}/again`,
    })
    await expect(again).rejects.toMatchObject({
      code: "unavailable",
      hint: expect.stringContaining("--port") as string,
    })
    const foreign = fixture.start({
      listen: [{ host: "192.0.2.1", port: 0 }],
      journalPath: `${fixture.folder}/other`,
    })
    await expect(foreign).rejects.toMatchObject({ code: "unavailable" })
  })

  test("closing ends connections that never reached CONNECT", async () => {
    const short = await fixture.start({ journalPath: `${fixture.folder}/short` })
    const socket = connectTls({ host: "127.0.0.1", port: portOf(short), ca: fixture.authority.caCertificate })
    socket.on("error", () => undefined)
    await once(socket, "secureConnect")
    const closed = new Promise((done) => socket.once("close", done))
    await short.close()
    await closed
    const [refusal] = (await once(connectTcp(portOf(short), "127.0.0.1"), "error")) as [Error]
    expect(refusal).toMatchObject({ code: "ECONNREFUSED" })
  })
})
