import { once } from "node:events"
import { connect as connectTls, type TLSSocket } from "node:tls"
import { WebSocket } from "ws"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import type { Broker } from "../../src/broker/broker.ts"
import { GUEST_LIMITS } from "../../src/broker/limits/guest-limiter.ts"
import { DEVICE_RATES, DeviceBudgets, type PacketRates } from "../../src/broker/limits/packet-rates.ts"
import type { PacketKind } from "../../src/broker/limits/packet-scanner.ts"
import { limitsFor } from "../../src/broker/limits/limits.ts"
import { until } from "../until.ts"
import { connect, type Device, newBrokerFixture, newId, optionsFor } from "./broker-fixture.ts"
import type { BrokerFixture } from "./broker-fixture.ts"
import { connectPacket, filtersPacket, packet, pings, publishPacket } from "./raw-packets.ts"

/** MQTT 3.1.1, table 2.1: answers of the broker. */
const ANSWER = { connack: 0x20, puback: 0x40, suback: 0x90, unsuback: 0xb0, pingresp: 0xd0 } as const

let fixture: BrokerFixture
let alice: Device
let brokers = 0

beforeAll(async () => {
  fixture = await newBrokerFixture()
  alice = await fixture.device()
})
afterAll(() => fixture.end())

/** With the limits in use for guests, and these for devices. */
function start(perDevice: Partial<PacketRates> = {}): Promise<Broker> {
  const at = { host: "127.0.0.1", port: 0 }
  return fixture.start({
    journalPath: `${fixture.folder}/floods-${++brokers}`,
    listen: [at, { ...at, webSocket: true }],
    guestLimits: { ...GUEST_LIMITS, connectionsPerMinute: 1_000, connectionsBurst: 100 },
    limits: { ...limitsFor(10_000), perDevice: { ...DEVICE_RATES, ...perDevice } },
  })
}

/** A connection whose bytes are our own; `answers` counts the packets of a kind that came back. */
async function raw(
  at: Broker,
  device?: Device,
): Promise<{ socket: TLSSocket; ended: Promise<unknown>; answers: (first: number) => number }> {
  const { certificate: cert, key } = device ?? {}
  const ca = fixture.authority.caCertificate
  const socket = connectTls({ host: "127.0.0.1", port: at.ports[0], ca, cert, key, ALPNProtocols: ["mqtt"] })
  const ended = new Promise((resolve) => socket.once("close", resolve))
  let received = Buffer.alloc(0)
  socket.on("data", (chunk: Buffer) => (received = Buffer.concat([received, chunk])))
  socket.on("error", () => undefined)
  await once(socket, "secureConnect")
  socket.write(connectPacket(device?.id ?? "anyone"))
  const answers = (first: number): number => firstBytes(received).filter((byte) => byte === first).length
  await until(() => answers(ANSWER.connack) === 1)
  return { socket, ended, answers }
}

/** Of each packet; their lengths are single bytes here. */
function firstBytes(received: Buffer): number[] {
  const found: number[] = []
  for (let at = 0; at + 1 < received.length; at += 2 + (received[at + 1] ?? 0)) found.push(received[at] ?? 0)
  return found
}

describe("a guest is ended", () => {
  const many = (count: number, filter: string): string[] => Array.from({ length: count }, () => filter)

  test.each([
    ["16,000 filters in one SUBSCRIBE", () => filtersPacket("subscribe", many(16_000, "a")), ANSWER.suback],
    ["16,000 filters in UNSUBSCRIBE", () => filtersPacket("unsubscribe", many(16_000, "a")), ANSWER.unsuback],
    ["nine filters that it may have", () => filtersPacket("subscribe", many(9, "mc/1/p/17")), ANSWER.suback],
    ["a packet of more than 8 KiB", () => publishPacket("mc/1/p/17", Buffer.alloc(8_192)), ANSWER.puback],
  ])("by %s, before it is parsed", async (_name, flood, answer) => {
    const guest = await raw(await start())
    guest.socket.write(flood())
    await guest.ended
    expect(guest.answers(answer)).toBe(0)
  })

  test.each([
    ["PINGREQ", () => pings(1_000), ANSWER.pingresp],
    ["SUBSCRIBE", () => repeated(filtersPacket("subscribe", ["mc/1/p/17"])), ANSWER.suback],
    ["UNSUBSCRIBE", () => repeated(filtersPacket("unsubscribe", ["mc/1/p/17"])), ANSWER.unsuback],
    ["PUBLISH", () => repeated(publishPacket("mc/1/p/17", Buffer.alloc(1))), ANSWER.puback],
    ["PUBACK", () => repeated(packet(0x40, Buffer.from([0, 1]))), ANSWER.puback],
    ["PUBREC", () => repeated(packet(0x50, Buffer.from([0, 1]))), ANSWER.puback],
  ])("by more packets of one kind than its address may send: %s", async (_name, flood, answer) => {
    const own = await start()
    const guest = await raw(own)
    guest.socket.write(flood())
    await guest.ended
    expect(guest.answers(answer)).toBeLessThanOrEqual(200)
    expect(await helloFromAlice(own)).toBe("hello")
  })

  test("and one that floods in many connections has no more than one address's budget", async () => {
    const own = await start()
    const guests = await Promise.all(Array.from({ length: 8 }, () => raw(own)))
    for (const { socket } of guests) socket.write(pings(1_000))
    await Promise.all(guests.map(({ ended }) => ended))
    const answered = guests.reduce((sum, { answers }) => sum + answers(ANSWER.pingresp), 0)
    expect(answered).toBeLessThanOrEqual(200)
  })

  test("by WebSocket pings and empty messages, which carry no MQTT", async () => {
    for (const flood of [
      (ws: WebSocket) => ws.ping(),
      (ws: WebSocket) => ws.pong(),
      (ws: WebSocket) => ws.send(""),
    ]) {
      const own = await start()
      const ca = fixture.authority.caCertificate
      const ws = new WebSocket(`wss://127.0.0.1:${String(own.ports[1])}/mqtt`, "mqtt", { ca })
      ws.on("error", () => undefined)
      await once(ws, "open")
      const ended = new Promise((resolve) => ws.once("close", resolve))
      for (let n = 0; n < 1_000; n++) flood(ws)
      await ended
    }
  })
})

function repeated(bytes: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: 1_000 }, () => bytes))
}

/** What Bob reads of Alice. */
async function helloFromAlice(at: Broker): Promise<string | undefined> {
  const bob = await fixture.device()
  const port = at.ports[0] ?? 0
  const [atAlice, atBob] = [
    await connect(optionsFor(fixture, port, alice)),
    await connect(optionsFor(fixture, port, bob)),
  ]
  const topic = `mc/1/i/${bob.id}/${newId()}`
  await atBob.client.subscribeAsync(topic, { qos: 1 })
  await atAlice.client.publishAsync(topic, "hello", { qos: 1 })
  const [received] = await atBob.waitFor(1)
  for (const { client } of [atAlice, atBob]) await client.endAsync()
  return received?.slice(topic.length + 1)
}

describe("a device is slowed down", () => {
  const ten = { capacity: 10, refillMs: 3_600_000 }

  test.each<[PacketKind, () => Buffer, number]>([
    ["pingreq", () => pings(100), ANSWER.pingresp],
    [
      "publish",
      () => repeated(publishPacket(`mc/1/i/${alice.id}/${newId()}`, Buffer.alloc(1))),
      ANSWER.puback,
    ],
    ["subscribe", () => repeated(filtersPacket("subscribe", ["a"])), ANSWER.suback],
    ["unsubscribe", () => repeated(filtersPacket("unsubscribe", ["a"])), ANSWER.unsuback],
  ])("by its rate of %s, and not ended", async (kind, flood, answer) => {
    const own = await start({ [kind]: ten })
    const mallory = await raw(own, await fixture.device())
    mallory.socket.write(flood())
    const expected = kind === "subscribe" || kind === "unsubscribe" ? 5 : 10
    await until(() => mallory.answers(answer) === expected)
    expect(await helloFromAlice(own)).toBe("hello")
    expect([mallory.answers(answer), mallory.socket.destroyed]).toEqual([expected, false])
  })

  test("over all its connections together, and no other device with it", () => {
    const budgets = new DeviceBudgets({ ...DEVICE_RATES, pingreq: ten }, () => 0)
    const [first, second, other] = [budgets.of("mallory"), budgets.of("mallory"), budgets.of("alice")]
    for (let n = 0; n < 10; n++) expect((n % 2 === 0 ? first : second).begin("pingreq")).toBe(0)
    expect([first, second, other].map((budget) => budget.begin("pingreq"))).toEqual([360_000, 360_000, 0])
  })

  test("until its budget is back; a packet of many filters is a debt", () => {
    let now = 0
    const budgets = new DeviceBudgets(
      { ...DEVICE_RATES, subscribe: { capacity: 10, refillMs: 1_000 } },
      () => now,
    )
    const budget = budgets.of("mallory")
    expect([budget.begin("subscribe"), budget.spend("subscribe", 29)]).toEqual([0, true])
    expect(budget.begin("subscribe")).toBe(2_100)
    now = 2_100
    expect(budget.begin("subscribe")).toBe(0)
  })

  test("but not by ten thousand mailboxes, nor by as many messages as several clients of ours send in a second", () => {
    const budget = new DeviceBudgets(DEVICE_RATES, () => 0).of("alice")
    for (let filter = 0; filter < 10_000; filter++) budget.spend("subscribe", 1)
    for (let message = 0; message < 4_000; message++)
      expect([budget.begin("publish"), budget.begin("puback")]).toEqual([0, 0])
    expect(budget.begin("subscribe")).toBe(0)
  })
})
