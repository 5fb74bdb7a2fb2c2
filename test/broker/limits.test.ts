import { once } from "node:events"
import { connect as connectTcp, type Socket } from "node:net"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Broker } from "../../src/broker/broker.ts"
import { PAYLOAD_MAX_BYTES } from "../../src/broker/limits/packet-size-guard.ts"
import {
  type ConnectionSlot,
  type Limits,
  limitsFor,
  ConnectionLimiter,
} from "../../src/broker/limits/limits.ts"
import { RateLimiter } from "../../src/broker/limits/rate-limiter.ts"
import { until } from "../until.ts"
import {
  connect,
  type Device,
  newId,
  newBrokerFixture,
  optionsFor,
  portOf,
  type TestClient,
  type BrokerFixture,
} from "./broker-fixture.ts"

describe("what connections may cost", () => {
  let fixture: BrokerFixture
  let alice: Device
  let brokers = 0

  beforeAll(async () => {
    fixture = await newBrokerFixture()
    alice = await fixture.device()
  })
  afterAll(() => fixture.end())

  const start = (limits: Partial<Limits>): Promise<Broker> =>
    fixture.start({
      journalPath: `${fixture.folder}/limits-${++brokers}`,
      limits: { ...limitsFor(10_000), ...limits },
    })

  const ended = (socket: Socket): Promise<unknown> => new Promise((close) => socket.once("close", close))

  function openTcp(broker: Broker): Socket {
    const socket = connectTcp(portOf(broker), "127.0.0.1")
    socket.on("error", () => undefined).resume()
    return socket
  }

  async function handshake(broker: Broker, device?: Device): Promise<TLSSocket> {
    const { certificate: cert, key } = device ?? {}
    const ca = fixture.authority.caCertificate
    const socket = connectTls({ host: "127.0.0.1", port: portOf(broker), ca, cert, key })
    socket.on("error", () => undefined).resume()
    await once(socket, "secureConnect")
    return socket
  }

  const join = async (broker: Broker): Promise<TestClient> =>
    connect(optionsFor(fixture, portOf(broker), await fixture.device()))

  const canConnect = (broker: Broker): Promise<boolean> =>
    handshake(broker).then(
      (socket) => {
        socket.destroy()
        return true
      },
      () => false,
    )

  test("connections per address are limited, counted before TLS; one that closes makes room", async () => {
    const broker = await start({ perAddress: { atOnce: 3, perMinute: 1_000 } })
    const known = await Promise.all([join(broker), join(broker), join(broker)])
    const flood = Array.from({ length: 20 }, () => ended(openTcp(broker)))
    await Promise.all(flood)
    expect(broker.stats()).toMatchObject({ turnedAway: 20 })
    await known[0].client.endAsync()
    await until(() => canConnect(broker))
    for (const { client } of known) await client.endAsync()
  })

  test("silent clients make room for one that says who it is, which stays", async () => {
    const broker = await start({ perAddress: { atOnce: 3, perMinute: 1_000 } })
    const silent = [openTcp(broker), openTcp(broker), await handshake(broker)]
    const firstEnded = ended(silent[0] ?? expect.fail())
    const atAlice = await connect(optionsFor(fixture, portOf(broker), alice))
    await firstEnded
    const others = Array.from({ length: 20 }, () => openTcp(broker))
    await until(() => broker.stats().turnedAway === 21)
    expect(others.filter(({ destroyed }) => !destroyed)).not.toHaveLength(0)
    await atAlice.client.publishAsync(`mc/1/i/${alice.id}/${newId()}`, "still here", { qos: 1 })
    await atAlice.client.endAsync()
    for (const socket of [...silent, ...others]) socket.destroy()
  })

  test("the total number of connections is limited, from any address", async () => {
    const broker = await start({ atOnce: 2 })
    const held = [await join(broker), await join(broker)]
    await expect(handshake(broker)).rejects.toMatchObject({ code: "ECONNRESET" })
    for (const { client } of held) {
      expect(client.connected).toBe(true)
      await client.endAsync()
    }
  })

  test("connections per certificate are limited; the next gets CONNACK 3, and other certificates are not counted", async () => {
    const broker = await start({ perCertificate: { atOnce: 2, perMinute: 1_000 } })
    const held = [await handshake(broker, alice), await handshake(broker, alice)]
    await expect(connect(optionsFor(fixture, portOf(broker), alice))).rejects.toMatchObject({ code: 3 })
    const bob = await connect(optionsFor(fixture, portOf(broker), await fixture.device()))
    await bob.client.endAsync()
    for (const socket of held) socket.destroy()
  })

  test("connections per certificate and minute are limited", async () => {
    const broker = await start({ perCertificate: { atOnce: 10, perMinute: 3 } })
    for (let attempt = 0; attempt < 3; attempt++) {
      const testClient = await connect(optionsFor(fixture, portOf(broker), alice))
      await testClient.client.endAsync()
    }
    await expect(connect(optionsFor(fixture, portOf(broker), alice))).rejects.toMatchObject({ code: 3 })
  })

  test("a connection that does not finish TLS or CONNECT in time is closed, even if bytes trickle in", async () => {
    const broker = await start({ connectTimeoutMs: 1_000 })
    const silent = ended(openTcp(broker))
    // On a slow machine the time can be over before TLS is.
    const over = (): void => undefined
    const shaken = handshake(broker, alice).then(ended, over)
    const trickling = handshake(broker, alice).then((socket) => {
      // The largest CONNECT there is would take a minute at this rate.
      const bytes = [0x10, 0xff, 0x1f]
      const trickle = setInterval(() => socket.write(Buffer.from([bytes.shift() ?? 0])), 15)
      return ended(socket).finally(() => clearInterval(trickle))
    }, over)
    await Promise.all([silent, shaken, trickling])
    await until(() => broker.stats().connections.device === 0)
    expect(broker.stats().connections).toMatchObject({ device: 0, guest: 0 })
  })

  test("guests in all are limited: the oldest makes room, and no device does", async () => {
    const broker = await start({ guestsAtOnce: 2 })
    const device = await join(broker)
    const [first, second] = [
      await connect(optionsFor(fixture, portOf(broker))),
      await connect(optionsFor(fixture, portOf(broker))),
    ]
    const third = await connect(optionsFor(fixture, portOf(broker)))
    expect(await first.closed).toBe("closed")
    expect([device, second, third].map(({ client }) => client.connected)).toEqual([true, true, true])
    for (const { client } of [device, second, third]) await client.endAsync()
  })

  test("a client that asks for no keepalive and sends nothing is disconnected all the same", async () => {
    const broker = await start({ keepalive: { min: 1, max: 1 } })
    const silent = await connect({ ...optionsFor(fixture, portOf(broker), alice), keepalive: 0 })
    expect(await silent.closed).toBe("closed")
  })

  test("a payload of the largest size passes; one byte more disconnects the sender", async () => {
    const broker = await start({})
    const topic = `mc/1/i/${alice.id}/${newId()}`
    const atAlice = await connect(optionsFor(fixture, portOf(broker), alice))
    await atAlice.client.publishAsync(topic, Buffer.alloc(PAYLOAD_MAX_BYTES), { qos: 1 })
    const longer = atAlice.client.publishAsync(topic, Buffer.alloc(PAYLOAD_MAX_BYTES + 1), { qos: 1 })
    expect(await Promise.race([longer.then(() => "acknowledged"), atAlice.closed])).toBe("closed")
  })
})

describe("the connection limiter", () => {
  const limits: Limits = { ...limitsFor(), atOnce: 3, perAddress: { atOnce: 2, perMinute: 3 } }

  test("counts connections by address and in total, and those it refused", () => {
    const limiter = new ConnectionLimiter(limits)
    const acquire = (address: string): ConnectionSlot | undefined => {
      const slot = limiter.acquire(address, 0, () => expect.fail("is no stranger"))
      slot?.accept()
      return slot
    }
    const first = acquire("192.0.2.1")
    expect(["192.0.2.1", "192.0.2.1"].map((address) => acquire(address) !== undefined)).toEqual([true, false])
    expect(["192.0.2.2", "192.0.2.3"].map((address) => acquire(address) !== undefined)).toEqual([true, false])
    first?.release()
    first?.release()
    expect(acquire("192.0.2.3")).toBeDefined()
    expect(acquire("192.0.2.4")).toBeUndefined()
    expect(limiter.turnedAway).toBe(3)
  })

  test("connections per address and minute are limited, even if each closes at once", () => {
    const limiter = new ConnectionLimiter(limits)
    const attempt = (now: number): boolean => {
      const slot = limiter.acquire("192.0.2.1", now, () => undefined)
      slot?.release()
      return slot !== undefined
    }
    expect([0, 0, 0, 0].map(attempt)).toEqual([true, true, true, false])
    expect([20_000, 20_000].map(attempt)).toEqual([true, false])
  })

  test("a client that has not said who it is makes room: for its own address, or where all places are taken", () => {
    const limiter = new ConnectionLimiter({ ...limits, perAddress: { atOnce: 2, perMinute: 5 } })
    const ended: string[] = []
    const acquire = (name: string, address: string): ConnectionSlot | undefined =>
      limiter.acquire(address, 0, () => ended.push(name))
    acquire("first", "192.0.2.1")
    acquire("second", "192.0.2.1")?.accept()
    expect(acquire("third", "192.0.2.1")).toBeDefined()
    expect(ended).toEqual(["first"])
    const fourth = acquire("fourth", "192.0.2.2")
    expect(acquire("fifth", "192.0.2.3")).toBeDefined()
    expect(ended).toEqual(["first", "third"])
    fourth?.accept()
    expect(acquire("sixth", "192.0.2.4")).toBeDefined()
    expect(ended).toEqual(["first", "third", "fifth"])
  })

  test("a client that went before it said who it is makes no room: one that is there does", () => {
    const limiter = new ConnectionLimiter({ ...limits, perAddress: { atOnce: 2, perMinute: 5 } })
    const ended: string[] = []
    const acquire = (name: string): ConnectionSlot | undefined =>
      limiter.acquire("192.0.2.1", 0, () => ended.push(name))
    acquire("first")?.release()
    acquire("second")
    acquire("third")
    expect(acquire("fourth")).toBeDefined()
    expect(ended).toEqual(["second"])
  })

  test("an address that may open no more connections ends none of the others", () => {
    const limiter = new ConnectionLimiter({ ...limits, perAddress: { atOnce: 2, perMinute: 2 } })
    const end = (): void => expect.fail("had to make room")
    for (let n = 0; n < 2; n++) expect(limiter.acquire("192.0.2.1", 0, end)).toBeDefined()
    for (let n = 0; n < 9; n++) expect(limiter.acquire("192.0.2.1", 0, end)).toBeUndefined()
    expect(limiter.turnedAway).toBe(9)
  })

  test("Mallory's ten thousand networks keep no one out who comes from another", () => {
    const limiter = new ConnectionLimiter(limits)
    const connects = (address: string, now: number): boolean => {
      const slot = limiter.acquire(address, now, () => undefined)
      slot?.release()
      return slot !== undefined
    }
    for (let network = 0; network < 20_000; network++) {
      connects(`2001:db8:bad:${network.toString(16)}::1`, network)
      if (network % 1_000 === 999) expect(connects(`192.0.2.${(network + 1) / 1_000}`, network)).toBe(true)
    }
  })

  test("the limit by address can be raised, and the other limits follow", () => {
    expect(limitsFor(5_000)).toMatchObject({
      atOnce: 5_000,
      perAddress: { atOnce: 5_000, perMinute: 20_000 },
    })
    expect(limitsFor().perAddress.atOnce).toBeLessThan(limitsFor().atOnce)
  })
})

describe("a rate limiter", () => {
  test("remembers a limited number of names: the one that was quiet for longest makes room, and none in use", () => {
    const limiter = new RateLimiter({ atOnce: 1, perMinute: 2 })
    for (let name = 0; name < 10_000; name++) expect(limiter.acquire(String(name), 0)).toBe(true)
    expect(limiter.acquire("one more", 0)).toBe(false)
    for (let name = 1; name < 10_000; name++) limiter.release(String(name))
    expect(limiter.consume("1", 0)).toBe(true)
    expect(limiter.acquire("one more", 0)).toBe(true)
    // "2" was quiet for longest: "1" and its empty budget are known still, and so is "0", which is in use.
    expect([limiter.consume("1", 0), limiter.acquire("0", 0)]).toEqual([false, false])
    expect([limiter.consume("2", 0), limiter.consume("2", 0)]).toEqual([true, true])
  })
})
