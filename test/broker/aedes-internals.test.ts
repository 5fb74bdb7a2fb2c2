import { once } from "node:events"
import { type AddressInfo, createServer } from "node:net"
import type { AuthorizePublishHandler, Client } from "aedes"
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest"
import { forwardAtOnce, readNext, Router, takeMessageId } from "../../src/broker/aedes-internals.ts"
import { type PlainAedes, startPlainAedes } from "./plain-aedes.ts"
import { type BrokerFixture, connect, type Device, newBrokerFixture, optionsFor } from "./broker-fixture.ts"

const MESSAGE_IDS = 65_535

type PublishDone = Parameters<AuthorizePublishHandler>[2]

/** Each test fails on a version of aedes that has other private parts than the ones we use. */
describe("what we use of aedes that it does not document", () => {
  let fixture: BrokerFixture
  const plains: PlainAedes[] = []

  beforeAll(async () => {
    fixture = await newBrokerFixture()
  })
  afterEach(async () => {
    for (const plain of plains.splice(0)) await plain.close()
  })
  afterAll(() => fixture.end())

  async function plainAedes(options: Parameters<typeof startPlainAedes>[1] = {}): Promise<PlainAedes> {
    const plain = await startPlainAedes(fixture.authority, {
      authorizeSubscribe: (_client, filter, done) => done(null, filter),
      ...options,
    })
    plains.push(plain)
    return plain
  }

  /** A device that is connected, and aedes' own view of it. */
  async function connected(plain: PlainAedes, device: Device) {
    const ready = once(plain.aedes, "clientReady") as Promise<[Client]>
    const test = await connect(optionsFor(fixture, plain.port, device), (_topic, packet) =>
      ids.push(packet.messageId),
    )
    const ids: (number | undefined)[] = []
    const [client] = await ready
    return { ...test, ids, aedesClient: client }
  }

  test("the counter by which it numbers what it forwards, and no other", async () => {
    const plain = await plainAedes({ authorizePublish: (_client, _packet, done) => done(null) })
    const bob = await connected(plain, await fixture.device())
    await bob.client.subscribeAsync("t", { qos: 1 })
    const taken = Array.from({ length: MESSAGE_IDS }, () => takeMessageId(bob.aedesClient))
    expect(new Set(taken).size).toBe(MESSAGE_IDS)
    expect([Math.min(...taken), Math.max(...taken)]).toEqual([1, MESSAGE_IDS])
    const last = takeMessageId(bob.aedesClient)
    await bob.client.publishAsync("t", "x", { qos: 1 })
    await bob.waitFor(1)
    expect(bob.ids).toEqual([(last % MESSAGE_IDS) + 1])
    await bob.client.endAsync()
  })

  test("that it reads the next packet when it is told to, although those before are not answered", async () => {
    const unanswered: PublishDone[] = []
    let arrived = (): void => undefined
    const plain = await plainAedes({
      authorizePublish: (client, _packet, done) => {
        unanswered.push(done)
        if (client !== null) readNext(client)
        arrived()
      },
    })
    const { client } = await connected(plain, await fixture.device())
    const published: Promise<unknown>[] = []
    const publish = async (count: number): Promise<void> => {
      for (let each = 0; each < count; each++) published.push(client.publishAsync("t", "x", { qos: 1 }))
      while (unanswered.length < published.length) await new Promise<void>((more) => (arrived = more))
    }
    await publish(5)
    // By itself aedes would answer the five first.
    await publish(1)
    for (const done of unanswered) done(null)
    await Promise.all(published)
    await client.endAsync()
  })

  test("the counters of what was forwarded, and the wait for a socket to drain", async () => {
    const plain = await plainAedes({ authorizePublish: (_client, _packet, done) => done(null) })
    const bob = await connected(plain, await fixture.device())
    await bob.client.subscribeAsync("t", { qos: 1 })
    await bob.client.publishAsync("t", "x", { qos: 1 })
    await bob.waitFor(1)
    const counters = Reflect.get(bob.aedesClient, "duplicates") as Record<string, number>
    expect(Object.values(counters)).toEqual([expect.any(Number)])
    const waitForDrain = Reflect.get(bob.aedesClient, "waitForDrain") as (done: unknown) => void
    expect(waitForDrain).toHaveLength(1)

    forwardAtOnce(bob.aedesClient)
    const replaced = Reflect.get(bob.aedesClient, "duplicates") as Record<string, number>
    for (const broker of Object.keys(counters)) expect(replaced[broker]).toBe(0)
    const drained = await new Promise((resolve) => {
      const wait = Reflect.get(bob.aedesClient, "waitForDrain") as (
        done: (...result: unknown[]) => void,
      ) => void
      wait.call(bob.aedesClient, (...result) => resolve(result))
    })
    expect(drained).toEqual([null, bob.aedesClient])
    await bob.client.endAsync()
  })

  test("that it routes a client's message by publish, with the sender between packet and callback", async () => {
    const calls: string[][] = []
    class Observed extends Router {
      override publish(...call: Parameters<Router["publish"]>): void {
        calls.push([call[0].topic, ...call.slice(1).map((each) => typeof each)])
        super.publish(call[0], ...(call.slice(1) as [() => void]))
      }
    }
    const router = new Observed({}, ({ topic }) => topic === "queued")
    await router.listen()
    const server = createServer((socket) => void router.handle(socket)).listen(0, "127.0.0.1")
    await once(server, "listening")
    const routed: string[] = []
    router.on("publish", ({ topic }) => void routed.push(topic))
    const { port } = server.address() as AddressInfo
    const { client } = await connect({ protocol: "mqtt", host: "127.0.0.1", port, reconnectPeriod: 0 })
    await client.publishAsync("queued", "x", { qos: 1 })
    await client.publishAsync("routed", "x", { qos: 1 })
    await client.endAsync()
    await new Promise<void>((done) => router.close(done))
    server.close()
    const ours = (topic: string | undefined): boolean => topic === "queued" || topic === "routed"
    expect(calls.filter(([topic]) => ours(topic))).toEqual([
      ["queued", "object", "function"],
      ["routed", "object", "function"],
    ])
    expect(routed.filter(ours)).toEqual(["routed"])
  })
})
