import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest"
import type { Broker } from "../../src/broker/broker.ts"
import { makeServerCertificate, pinOf } from "../../src/broker/certificates.ts"
import { Fault } from "../../src/errors.ts"
import type { Credential, ConnectTarget } from "../../src/transport/transport.ts"
import { newId, newBrokerFixture, portOf, type Device, type BrokerFixture } from "../broker/broker-fixture.ts"
import { openTransport, faultOf, type Frame, type TransportFixture } from "./transport-fixture.ts"
import { startScriptedServer, CONNACK, type ScriptedServer } from "./scripted-servers.ts"

let fixture: BrokerFixture
let clients: TransportFixture[] = []
let scripted: ScriptedServer[] = []

beforeEach(async () => {
  fixture = await newBrokerFixture()
})
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()))
  await Promise.all(scripted.map((server) => server.close()))
  clients = []
  scripted = []
  await fixture.end()
})

function target(port: number, device: Device, mqttVersion?: 4 | 5): ConnectTarget {
  return {
    address: { host: "127.0.0.1", port },
    trust: { kind: "pin", pin: pinOf(fixture.authority.caCertificate) },
    credential: { kind: "device", deviceId: device.id, certificate: device.certificate, key: device.key },
    ...(mqttVersion === undefined ? {} : { mqttVersion }),
  }
}

function connect(
  broker: Broker | ScriptedServer,
  device: Device,
  hold?: (frame: Frame) => Promise<void>,
): TransportFixture {
  const port = "ports" in broker ? portOf(broker) : broker.port
  const client = openTransport(target(port, device, 4), hold)
  clients.push(client)
  return client
}

/** The same broker again, on the same port and journal. */
async function restarted(broker: Broker): Promise<Broker> {
  const port = portOf(broker)
  await broker.close()
  return fixture.start({ listen: [{ host: "127.0.0.1", port }] })
}

const text = (payload: Uint8Array) => Buffer.from(payload).toString()
const inbox = (device: Device, mailbox = "A".repeat(22)) => `mc/1/i/${device.id}/${mailbox}`

async function startWithDevices() {
  const broker = await fixture.start()
  const [alice, bob] = [await fixture.device(), await fixture.device()]
  return { broker, alice, bob }
}

/** Holds the first frame back until it is released. */
function barrier() {
  let resolveArrived: () => void = () => undefined
  let release: () => void = () => undefined
  const arrived = new Promise<void>((resolve) => (resolveArrived = resolve))
  const released = new Promise<void>((resolve) => (release = resolve))
  const hold = () => {
    resolveArrived()
    return released
  }
  return { hold, arrived, release }
}

test("a frame is acknowledged only when it is committed: one in progress when the broker died comes again", async () => {
  const { broker, alice, bob } = await startWithDevices()
  const { hold, arrived, release } = barrier()
  const reader = connect(broker, alice, hold)
  await reader.transport.subscribe(inbox(alice))
  const sender = connect(broker, bob)
  await sender.state("online")
  await sender.publish(inbox(alice), Buffer.from("one"))
  await arrived
  const port = portOf(broker)
  await broker.close()
  release()
  await fixture.start({ listen: [{ host: "127.0.0.1", port }] })
  expect(text((await reader.frame()).payload)).toBe("one")
  expect(text((await reader.frame()).payload)).toBe("one")
})

test("closing waits for the frames in progress and acknowledges them: they do not come again", async () => {
  const { broker, alice, bob } = await startWithDevices()
  const { hold, arrived, release } = barrier()
  const first = connect(broker, alice, hold)
  await first.transport.subscribe(inbox(alice))
  const sender = connect(broker, bob)
  await sender.state("online")
  await sender.publish(inbox(alice), Buffer.from("one"))
  await sender.publish(inbox(alice), Buffer.from("two"))
  await arrived
  const closed = first.close()
  expect(first.frames).toHaveLength(0)
  release()
  await closed
  const taken = first.frames.length
  expect(taken).toBeGreaterThan(0)

  await sender.publish(inbox(alice), Buffer.from("three"))
  const second = connect(broker, alice)
  expect(text((await second.frame()).payload)).toBe(["one", "two", "three"][taken])
})

test("a frame that could not be committed is reported with its Fault, and comes again", async () => {
  const { broker, alice, bob } = await startWithDevices()
  let failures = 2
  const reader = connect(broker, alice, () => {
    failures -= 1
    return failures >= 0 ? Promise.reject(new Fault("disk-full", "the disk is full")) : Promise.resolve()
  })
  await reader.transport.subscribe(inbox(alice))
  const sender = connect(broker, bob)
  await sender.state("online")
  await sender.publish(inbox(alice), Buffer.from("one"))
  expect((await reader.state("offline")).why.code).toBe("disk-full")
  expect(text((await reader.frame()).payload)).toBe("one")
})

test("frames come in the order they were published, sixteen at a time while the disk works", async () => {
  const { broker, alice, bob } = await startWithDevices()
  let [busy, most] = [0, 0]
  const reader = connect(broker, alice, async () => {
    busy += 1
    most = Math.max(most, busy)
    await new Promise((resolve) => setTimeout(resolve, 5))
    busy -= 1
  })
  await reader.transport.subscribe(inbox(alice))
  const sender = connect(broker, bob)
  await sender.state("online")
  const sent = Array.from({ length: 100 }, (_, n) => String(n))
  await Promise.all(sent.map((it) => sender.publish(inbox(alice), Buffer.from(it))))
  const received: string[] = []
  while (received.length < sent.length) received.push(text((await reader.frame()).payload))
  expect(received).toEqual(sent)
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThanOrEqual(16)
})

test("a connection comes back after a restart of the broker with all its subscriptions", async () => {
  const { broker, alice, bob } = await startWithDevices()
  const reader = connect(broker, alice)
  const sender = connect(broker, bob)
  await reader.transport.subscribe(inbox(alice))
  await sender.state("online")
  const again = await restarted(broker)
  await Promise.all([reader, sender].map((client) => client.state("online")))
  await reader.transport.subscribe(inbox(alice))
  await sender.publish(inbox(alice), Buffer.from("still there"))
  expect(text((await reader.frame()).payload)).toBe("still there")
  expect(again.stats().refused).toBe(0)
})

test("while the broker is down, publishing is refused at once, and subscribing waits", async () => {
  const { broker, alice } = await startWithDevices()
  const reader = connect(broker, alice)
  await reader.state("online")
  const port = portOf(broker)
  await broker.close()
  const { why } = await reader.state("offline")
  expect(await faultOf(reader.publish(inbox(alice), Buffer.from("x")))).toBe(why)
  const wanted = reader.transport.subscribe(inbox(alice))
  await fixture.start({ listen: [{ host: "127.0.0.1", port }] })
  await wanted
  await reader.publish(inbox(alice), Buffer.from("x"))
  expect((await reader.frame()).topic).toBe(inbox(alice))
})

test("a publish that the broker never acknowledged is rejected when the connection ends", async () => {
  const { certificate, key } = await makeServerCertificate(fixture.authority, ["127.0.0.1"])
  const chain = `${certificate}\n${fixture.authority.caCertificate}`
  const unresponsive = await startScriptedServer({ cert: chain, key }, () => CONNACK(0))
  scripted.push(unresponsive)
  const alice = await fixture.device()
  const sender = connect(unresponsive, alice)
  await sender.state("online")
  const sent = Array.from({ length: 20 }, () => faultOf(sender.publish(inbox(alice), Buffer.from("x"))))
  unresponsive.clients.at(-1)?.socket.destroy()
  for (const fault of await Promise.all(sent)) expect(fault.code).toBe("unavailable")
  const late = faultOf(sender.publish(inbox(alice), Buffer.from("x")))
  await sender.close()
  expect((await late).code).toBe("unavailable")
})

test("one refused topic among many does not affect the others", async () => {
  const { broker, alice, bob } = await startWithDevices()
  const reader = connect(broker, alice)
  const own = reader.transport.subscribe(inbox(alice))
  const spied = faultOf(reader.transport.subscribe(inbox(bob)))
  const also = reader.transport.subscribe(inbox(alice, "B".repeat(21) + "A"))
  expect((await spied).code).toBe("refused")
  await Promise.all([own, also])
  await reader.publish(inbox(alice), Buffer.from("x"))
  expect((await reader.frame()).topic).toBe(inbox(alice))
})

test("a topic unsubscribed while the connection was down is unsubscribed at the broker too", async () => {
  const { broker, alice, bob } = await startWithDevices()
  const reader = connect(broker, alice)
  const other = inbox(alice, "B".repeat(21) + "A")
  await Promise.all([inbox(alice), other].map((topic) => reader.transport.subscribe(topic)))
  const port = portOf(broker)
  await broker.close()
  await reader.state("offline")
  await reader.transport.unsubscribe(other)
  const again = await fixture.start({ listen: [{ host: "127.0.0.1", port }] })
  await reader.state("online")
  // Granted in order, so after the other was unsubscribed.
  await reader.transport.subscribe(inbox(alice))
  const sender = connect(again, bob)
  await sender.state("online")
  await sender.publish(other, Buffer.from("left"))
  await sender.publish(inbox(alice), Buffer.from("kept"))
  expect(text((await reader.frame()).payload)).toBe("kept")
})

test("MQTT 5 is tried first, 3.1.1 next, and the version that worked is reported", async () => {
  const { broker, alice } = await startWithDevices()
  const client = openTransport(target(portOf(broker), alice))
  clients.push(client)
  expect(await client.state("online")).toMatchObject({ mqttVersion: 4 })
  expect(client.states).toHaveLength(1)
})

/** A broker that answers CONNECT by `answer`, and the protocol levels that clients asked for. */
async function answering(answer: (level: number) => Buffer | undefined, credential?: Credential) {
  const { certificate, key } = await makeServerCertificate(fixture.authority, ["127.0.0.1"])
  const levels: number[] = []
  const chain = `${certificate}\n${fixture.authority.caCertificate}`
  const server = await startScriptedServer({ cert: chain, key }, (level) => {
    levels.push(level)
    return answer(level)
  })
  scripted.push(server)
  const toServer = target(server.port, await fixture.device())
  const client = openTransport(credential === undefined ? toServer : { ...toServer, credential })
  clients.push(client)
  return { client, levels }
}

test("a broker that closes MQTT 5 connections without an answer is tried with 3.1.1 at once, and then again [W-11]", async () => {
  const { client, levels } = await answering((level) => (level === 4 ? CONNACK(0) : undefined))
  expect(await client.state("online")).toMatchObject({ mqttVersion: 4 })
  expect(levels).toEqual([5, 4])
  for (const { clients } of scripted) clients.at(-1)?.socket.destroy()
  await client.state("offline")
  await client.state("online")
  expect(levels).toEqual([5, 4, 4])
})

test("a broker that refuses user or password is not tried again; one that is busy is", async () => {
  const account = { kind: "account", deviceId: newId(), username: "alice", password: "wrong" } as const
  const strict = await answering(() => CONNACK(4), account)
  const { why } = await strict.client.state("stopped")
  expect(why).toMatchObject({ code: "refused" })
  expect(why.message).toContain("user name or password")
  const toDevice = await answering(() => CONNACK(4))
  expect((await toDevice.client.state("stopped")).why.message).toContain("does not accept this device")

  let busy = true
  const { client } = await answering(() => CONNACK(busy ? 3 : 0))
  expect((await client.state("offline")).why.code).toBe("unavailable")
  busy = false
  await client.state("online")
})

test("a broker that announces a packet of 256 MiB is disconnected", async () => {
  const { client } = await answering(() =>
    Buffer.concat([CONNACK(0), Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])]),
  )
  const { why } = await client.state("offline")
  expect(why.message).toContain("over the limit")
})

test("a guest has another client id each time, and leaves no session behind [W-12]", async () => {
  const { broker } = await startWithDevices()
  const trust = { kind: "pin", pin: pinOf(fixture.authority.caCertificate) } as const
  const address = { host: "127.0.0.1", port: portOf(broker) }
  const guest = () => {
    const client = openTransport({ address, trust, credential: { kind: "guest" } })
    clients.push(client)
    return client
  }
  const [one, other] = [guest(), guest()]
  await Promise.all([one, other].map((client) => client.transport.subscribe("mc/1/p/7")))
  await one.publish("mc/1/p/7", Buffer.from("hello"))
  expect(text((await other.frame()).payload)).toBe("hello")
  expect((await faultOf(one.transport.subscribe(`mc/1/i/${newId()}/+`))).code).toBe("refused")
})

/** A frame as a broker sends it (MQTT 3.1.1, section 3.3), at QoS 1. */
function publishPacket(topic: string, messageId: number): Buffer {
  const name = Buffer.from(topic)
  const rest = Buffer.concat([Buffer.of(0, name.length), name, Buffer.of(0, messageId), Buffer.from("text")])
  return Buffer.concat([Buffer.of(0x32, rest.length), rest])
}

const PUBACK_BYTES = 4

test("frames are acknowledged in the order in which they came, whichever is on the disk first", async () => {
  const { certificate, key } = await makeServerCertificate(fixture.authority, ["127.0.0.1"])
  const chain = `${certificate}\n${fixture.authority.caCertificate}`
  const server = await startScriptedServer({ cert: chain, key }, () => CONNACK(0))
  scripted.push(server)
  const alice = await fixture.device()
  const { hold, release } = barrier()
  let frames = 0
  let bothCame: () => void = () => undefined
  const both = new Promise<void>((resolve) => (bothCame = resolve))
  const client = connect(server, alice, () => {
    frames++
    if (frames === 2) bothCame()
    return frames === 1 ? hold() : Promise.resolve()
  })
  await client.state("online")
  const socket = server.clients[0]?.socket
  if (socket === undefined) throw new Error("nobody came")
  const acknowledged: number[] = []
  const done = new Promise<void>((resolve) => {
    let received = Buffer.alloc(0)
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      for (; received.length >= PUBACK_BYTES; received = received.subarray(PUBACK_BYTES)) {
        expect(received.subarray(0, 3)).toEqual(Buffer.of(0x40, 2, 0))
        acknowledged.push(received[3] ?? 0)
      }
      if (acknowledged.length === 2) resolve()
    })
  })
  socket.write(Buffer.concat([publishPacket(inbox(alice), 1), publishPacket(inbox(alice), 2)]))
  await both
  await client.frame()
  // The second is on the disk; its PUBACK would have gone in this turn.
  await new Promise(setImmediate)
  release()
  await done
  expect(acknowledged).toEqual([1, 2])
})

/** CONNACK of a broker that is busy (MQTT 3.1.1, section 3.2.2.3). */
const BUSY = 3
const FAILURES = 4
/** A pause after one failure, and the shortest after five in a row, in ms. */
const FIRST_PAUSE_MAX_MS = 250
const FIFTH_PAUSE_MIN_MS = 2_000

test("pauses grow from failure to failure, and begin at the shortest again after a connection that held", async () => {
  let held = 0
  // However slow the machine is, no time passes but what the story says.
  vi.spyOn(performance, "now").mockImplementation(() => held)
  const pauses = vi.spyOn(globalThis, "setTimeout")
  onTestFinished(() => void vi.restoreAllMocks())
  let tries = 0
  const { client } = await answering(() => CONNACK(tries++ < FAILURES ? BUSY : 0))
  await client.state("online")
  const between = (min: number, max: number): number =>
    pauses.mock.calls.filter(([, ms = 0]) => ms >= min && ms <= max).length
  // After the second failure, the third and the fourth.
  for (const most of [500, 1_000, 2_000]) expect(between(most / 2, most)).toBeGreaterThan(0)
  held = 60_000
  pauses.mockClear()
  for (const { clients } of scripted) clients.at(-1)?.socket.destroy()
  await client.state("offline")
  await client.state("online")
  expect(between(1, FIRST_PAUSE_MAX_MS)).toBeGreaterThan(0)
  expect(between(FIFTH_PAUSE_MIN_MS, 2 * FIFTH_PAUSE_MIN_MS)).toBe(0)
})
