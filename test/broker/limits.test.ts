import { once } from "node:events"
import { connect as connectTcp, type Socket } from "node:net"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Broker } from "../../src/broker/broker.ts"
import { PAYLOAD_MAX_BYTES } from "../../src/broker/limits/packet-size-guard.ts"
import { type Limits, limitsFor, ConnectionLimiter } from "../../src/broker/limits/limits.ts"
import { RateLimiter } from "../../src/broker/limits/rate-limiter.ts"
import { until } from "../until.ts"
import {
  connect,
  type Device,
  newId,
  newBrokerFixture,
  optionsFor,
  portOf,
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

  const canConnect = (broker: Broker): Promise<boolean> =>
    handshake(broker).then(
      (socket) => {
        socket.destroy()
        return true
      },
      () => false,
    )

  test("one address has so many connections at once, counted before TLS; who leaves makes room", async () => {
    const broker = await start({ perAddress: { atOnce: 3, perMinute: 1_000 } })
    const silent = [openTcp(broker), openTcp(broker)]
    const third = await handshake(broker)
    const flood = Array.from({ length: 20 }, () => ended(openTcp(broker)))
    await Promise.all(flood)
    expect(broker.stats()).toMatchObject({ turnedAway: 20 })
    const left = ended(third)
    third.destroy()
    await left
    await until(() => canConnect(broker))
    for (const socket of silent) socket.destroy()
  })

  test("all together have so many, whoever they are", async () => {
    const broker = await start({ atOnce: 2 })
    const held = [await handshake(broker), await handshake(broker)]
    await expect(handshake(broker)).rejects.toMatchObject({ code: "ECONNRESET" })
    expect(held.map(({ destroyed }) => destroyed)).toEqual([false, false])
  })

  test("one certificate has so many; the next is told by CONNACK 3, and another certificate is not in it", async () => {
    const broker = await start({ perCertificate: { atOnce: 2, perMinute: 1_000 } })
    const held = [await handshake(broker, alice), await handshake(broker, alice)]
    await expect(connect(optionsFor(fixture, portOf(broker), alice))).rejects.toMatchObject({ code: 3 })
    const bob = await connect(optionsFor(fixture, portOf(broker), await fixture.device()))
    await bob.client.endAsync()
    for (const socket of held) socket.destroy()
  })

  test("one certificate comes back so many times a minute", async () => {
    const broker = await start({ perCertificate: { atOnce: 10, perMinute: 3 } })
    for (let attempt = 0; attempt < 3; attempt++) {
      const testClient = await connect(optionsFor(fixture, portOf(broker), alice))
      await testClient.client.endAsync()
    }
    await expect(connect(optionsFor(fixture, portOf(broker), alice))).rejects.toMatchObject({ code: 3 })
  })

  test("who does not finish TLS or CONNECT in time is ended, a trickle of bytes too", async () => {
    const broker = await start({ connectTimeoutMs: 1_000 })
    const silent = ended(openTcp(broker))
    // On a slow machine it can be over before TLS is.
    const over = (): void => undefined
    const shaken = handshake(broker, alice).then(ended, over)
    const trickling = handshake(broker, alice).then((socket) => {
      // Of the largest CONNECT there is, which would take a minute.
      const bytes = [0x10, 0xff, 0x1f]
      const trickle = setInterval(() => socket.write(Buffer.from([bytes.shift() ?? 0])), 15)
      return ended(socket).finally(() => clearInterval(trickle))
    }, over)
    await Promise.all([silent, shaken, trickling])
    await until(() => broker.stats().connections.device === 0)
    expect(broker.stats().connections).toMatchObject({ device: 0, guest: 0 })
  })

  test("who asks for no keepalive and says nothing is ended all the same", async () => {
    const broker = await start({ keepalive: { min: 1, max: 1 } })
    const silent = await connect({ ...optionsFor(fixture, portOf(broker), alice), keepalive: 0 })
    expect(await silent.closed).toBe("closed")
  })

  test("a payload of the largest size passes, one that is a byte longer ends its sender", async () => {
    const broker = await start({})
    const topic = `mc/1/i/${alice.id}/${newId()}`
    const atAlice = await connect(optionsFor(fixture, portOf(broker), alice))
    await atAlice.client.publishAsync(topic, Buffer.alloc(PAYLOAD_MAX_BYTES), { qos: 1 })
    const longer = atAlice.client.publishAsync(topic, Buffer.alloc(PAYLOAD_MAX_BYTES + 1), { qos: 1 })
    expect(await Promise.race([longer.then(() => "acknowledged"), atAlice.closed])).toBe("closed")
  })
})

describe("the turnstile", () => {
  const limits: Limits = { ...limitsFor(), atOnce: 3, perAddress: { atOnce: 2, perMinute: 3 } }

  test("counts each address and all together, and what it turned away", () => {
    const limiter = new ConnectionLimiter(limits)
    const acquire = (address: string): boolean => limiter.acquire(address, 0)
    expect(["192.0.2.1", "192.0.2.1", "192.0.2.1"].map(acquire)).toEqual([true, true, false])
    expect(["192.0.2.2", "192.0.2.3"].map(acquire)).toEqual([true, false])
    limiter.release("192.0.2.1")
    expect(acquire("192.0.2.3")).toBe(true)
    expect(limiter.turnedAway).toBe(2)
  })

  test("one address comes so many times a minute, even if each leaves at once", () => {
    const limiter = new ConnectionLimiter(limits)
    const attempt = (now: number): boolean => {
      const acquired = limiter.acquire("192.0.2.1", now)
      if (acquired) limiter.release("192.0.2.1")
      return acquired
    }
    expect([0, 0, 0, 0].map(attempt)).toEqual([true, true, true, false])
    expect([20_000, 20_000].map(attempt)).toEqual([true, false])
  })

  test("the limit by address can be raised, and the others with it", () => {
    expect(limitsFor(5_000)).toMatchObject({
      atOnce: 5_000,
      perAddress: { atOnce: 5_000, perMinute: 20_000 },
    })
    expect(limitsFor().perAddress.atOnce).toBeLessThan(limitsFor().atOnce)
  })
})

describe("a meter", () => {
  test("remembers so many names and takes in nobody else; who was quiet for a minute makes room", () => {
    const limiter = new RateLimiter({ atOnce: 1, perMinute: 1 })
    for (let name = 0; name < 10_000; name++) expect(limiter.acquire(String(name), 0)).toBe(true)
    for (let name = 1; name < 10_000; name++) limiter.release(String(name))
    expect(limiter.acquire("one more", 59_999)).toBe(false)
    expect(limiter.acquire("one more", 60_000)).toBe(true)
    // Whoever is still there is not forgotten.
    expect(limiter.acquire("0", 120_000)).toBe(false)
  })
})
