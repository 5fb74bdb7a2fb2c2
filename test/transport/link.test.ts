import { afterEach, beforeEach, expect, test } from "vitest"
import type { Broker } from "../../src/broker/broker.ts"
import { makeServerCertificate, pinOf } from "../../src/broker/certificates.ts"
import { Fault } from "../../src/errors.ts"
import type { LinkTarget } from "../../src/transport/transport.ts"
import { newId, newWorld, portOf, type Device, type World } from "../broker/world.ts"
import { dial, faultOf, type Frame, type Wire } from "./post.ts"
import { brokerThat, CONNACK, type Scripted } from "./servers.ts"

let world: World
let wires: Wire[] = []
let scripted: Scripted[] = []

beforeEach(async () => {
  world = await newWorld()
})
afterEach(async () => {
  await Promise.all(wires.map((wire) => wire.close()))
  await Promise.all(scripted.map((server) => server.close()))
  wires = []
  scripted = []
  await world.end()
})

function target(port: number, device: Device, mqttVersion?: 4 | 5): LinkTarget {
  return {
    address: { host: "127.0.0.1", port },
    trust: { kind: "pin", pin: pinOf(world.authority.caCertificate) },
    credential: { kind: "device", deviceId: device.id, certificate: device.certificate, key: device.key },
    ...(mqttVersion === undefined ? {} : { mqttVersion }),
  }
}

function call(broker: Broker | Scripted, device: Device, hold?: (frame: Frame) => Promise<void>): Wire {
  const port = "ports" in broker ? portOf(broker) : broker.port
  const wire = dial(target(port, device, 4), hold)
  wires.push(wire)
  return wire
}

/** The same broker again, on the same port and journal. */
async function restarted(broker: Broker): Promise<Broker> {
  const port = portOf(broker)
  await broker.close()
  return world.start({ listen: [{ host: "127.0.0.1", port }] })
}

const text = (payload: Uint8Array) => Buffer.from(payload).toString()
const inbox = (device: Device, mailbox = "A".repeat(22)) => `mc/1/i/${device.id}/${mailbox}`

async function people() {
  const broker = await world.start()
  const [alice, bob] = [await world.device(), await world.device()]
  return { broker, alice, bob }
}

/** Holds the first frame back until it is let go. */
function barrier() {
  let arrive: () => void = () => undefined
  let letGo: () => void = () => undefined
  const arrived = new Promise<void>((resolve) => (arrive = resolve))
  const released = new Promise<void>((resolve) => (letGo = resolve))
  const hold = () => {
    arrive()
    return released
  }
  return { hold, arrived, letGo }
}

test("a frame is acknowledged only when it is taken: one that was at work when the broker died comes again", async () => {
  const { broker, alice, bob } = await people()
  const { hold, arrived, letGo } = barrier()
  const reader = call(broker, alice, hold)
  await reader.transport.subscribe(inbox(alice))
  const sender = call(broker, bob)
  await sender.state("online")
  await sender.publish(inbox(alice), Buffer.from("one"))
  await arrived
  const port = portOf(broker)
  await broker.close()
  letGo()
  await world.start({ listen: [{ host: "127.0.0.1", port }] })
  expect(text((await reader.frame()).payload)).toBe("one")
  expect(text((await reader.frame()).payload)).toBe("one")
})

test("closing waits for the frames at work and acknowledges them: they do not come again", async () => {
  const { broker, alice, bob } = await people()
  const { hold, arrived, letGo } = barrier()
  const first = call(broker, alice, hold)
  await first.transport.subscribe(inbox(alice))
  const sender = call(broker, bob)
  await sender.state("online")
  await sender.publish(inbox(alice), Buffer.from("one"))
  await sender.publish(inbox(alice), Buffer.from("two"))
  await arrived
  const closed = first.close()
  expect(first.frames).toHaveLength(0)
  letGo()
  await closed
  const taken = first.frames.length
  expect(taken).toBeGreaterThan(0)

  await sender.publish(inbox(alice), Buffer.from("three"))
  const second = call(broker, alice)
  expect(text((await second.frame()).payload)).toBe(["one", "two", "three"][taken])
})

test("a frame that could not be committed is told with its Fault, and comes again", async () => {
  const { broker, alice, bob } = await people()
  let failures = 2
  const reader = call(broker, alice, () => {
    failures -= 1
    return failures >= 0 ? Promise.reject(new Fault("disk-full", "the disk is full")) : Promise.resolve()
  })
  await reader.transport.subscribe(inbox(alice))
  const sender = call(broker, bob)
  await sender.state("online")
  await sender.publish(inbox(alice), Buffer.from("one"))
  expect((await reader.state("offline")).why.code).toBe("disk-full")
  expect(text((await reader.frame()).payload)).toBe("one")
})

test("frames come in the order they were published, sixteen at a time while the disk works", async () => {
  const { broker, alice, bob } = await people()
  let [busy, most] = [0, 0]
  const reader = call(broker, alice, async () => {
    busy += 1
    most = Math.max(most, busy)
    await new Promise((resolve) => setTimeout(resolve, 5))
    busy -= 1
  })
  await reader.transport.subscribe(inbox(alice))
  const sender = call(broker, bob)
  await sender.state("online")
  const sent = Array.from({ length: 100 }, (_, n) => String(n))
  await Promise.all(sent.map((it) => sender.publish(inbox(alice), Buffer.from(it))))
  const heard: string[] = []
  while (heard.length < sent.length) heard.push(text((await reader.frame()).payload))
  expect(heard).toEqual(sent)
  expect(most).toBeGreaterThan(1)
  expect(most).toBeLessThanOrEqual(16)
})

test("a link comes back after a restart of the broker with all it was subscribed to", async () => {
  const { broker, alice, bob } = await people()
  const reader = call(broker, alice)
  const sender = call(broker, bob)
  await reader.transport.subscribe(inbox(alice))
  await sender.state("online")
  const again = await restarted(broker)
  await Promise.all([reader, sender].map((wire) => wire.state("online")))
  await reader.transport.subscribe(inbox(alice))
  await sender.publish(inbox(alice), Buffer.from("still there"))
  expect(text((await reader.frame()).payload)).toBe("still there")
  expect(again.stats().refused).toBe(0)
})

test("while the broker is down publishing is refused at once, and subscribing waits", async () => {
  const { broker, alice } = await people()
  const reader = call(broker, alice)
  await reader.state("online")
  const port = portOf(broker)
  await broker.close()
  const { why } = await reader.state("offline")
  expect(await faultOf(reader.publish(inbox(alice), Buffer.from("x")))).toBe(why)
  const wanted = reader.transport.subscribe(inbox(alice))
  await world.start({ listen: [{ host: "127.0.0.1", port }] })
  await wanted
  await reader.publish(inbox(alice), Buffer.from("x"))
  expect((await reader.frame()).topic).toBe(inbox(alice))
})

test("a publish that the broker never acknowledged is rejected when the link ends", async () => {
  const { certificate, key } = await makeServerCertificate(world.authority, ["127.0.0.1"])
  const chain = `${certificate}\n${world.authority.caCertificate}`
  const deaf = await brokerThat({ cert: chain, key }, () => CONNACK(0))
  scripted.push(deaf)
  const alice = await world.device()
  const sender = call(deaf, alice)
  await sender.state("online")
  const sent = Array.from({ length: 20 }, () => faultOf(sender.publish(inbox(alice), Buffer.from("x"))))
  deaf.visitors.at(-1)?.socket.destroy()
  for (const fault of await Promise.all(sent)) expect(fault.code).toBe("unavailable")
  const late = faultOf(sender.publish(inbox(alice), Buffer.from("x")))
  await sender.close()
  expect((await late).code).toBe("unavailable")
})

test("one refused topic among many does not take the others with it", async () => {
  const { broker, alice, bob } = await people()
  const reader = call(broker, alice)
  const own = reader.transport.subscribe(inbox(alice))
  const spied = faultOf(reader.transport.subscribe(inbox(bob)))
  const also = reader.transport.subscribe(inbox(alice, "B".repeat(21) + "A"))
  expect((await spied).code).toBe("refused")
  await Promise.all([own, also])
  await reader.publish(inbox(alice), Buffer.from("x"))
  expect((await reader.frame()).topic).toBe(inbox(alice))
})

test("a topic that was left while the link was down is left at the broker too", async () => {
  const { broker, alice, bob } = await people()
  const reader = call(broker, alice)
  const other = inbox(alice, "B".repeat(21) + "A")
  await Promise.all([inbox(alice), other].map((topic) => reader.transport.subscribe(topic)))
  const port = portOf(broker)
  await broker.close()
  await reader.state("offline")
  await reader.transport.unsubscribe(other)
  const again = await world.start({ listen: [{ host: "127.0.0.1", port }] })
  await reader.state("online")
  // Granted in its turn, which is after the other was left.
  await reader.transport.subscribe(inbox(alice))
  const sender = call(again, bob)
  await sender.state("online")
  await sender.publish(other, Buffer.from("left"))
  await sender.publish(inbox(alice), Buffer.from("kept"))
  expect(text((await reader.frame()).payload)).toBe("kept")
})

test("MQTT 5 is tried first, 3.1.1 next, and what worked is told", async () => {
  const { broker, alice } = await people()
  const link = dial(target(portOf(broker), alice))
  wires.push(link)
  expect(await link.state("online")).toMatchObject({ mqttVersion: 4 })
  expect(link.states).toHaveLength(1)
})

/** A broker that answers CONNECT by `answer`, and the levels that it was asked for. */
async function answering(answer: (level: number) => Buffer | undefined) {
  const { certificate, key } = await makeServerCertificate(world.authority, ["127.0.0.1"])
  const levels: number[] = []
  const chain = `${certificate}\n${world.authority.caCertificate}`
  const server = await brokerThat({ cert: chain, key }, (level) => {
    levels.push(level)
    return answer(level)
  })
  scripted.push(server)
  const link = dial(target(server.port, await world.device()))
  wires.push(link)
  return { link, levels }
}

test("a broker that hangs up on MQTT 5 without a word is asked for 3.1.1 at once, and then again", async () => {
  const { link, levels } = await answering((level) => (level === 4 ? CONNACK(0) : undefined))
  expect(await link.state("online")).toMatchObject({ mqttVersion: 4 })
  expect(levels).toEqual([5, 4])
  for (const { visitors } of scripted) visitors.at(-1)?.socket.destroy()
  await link.state("offline")
  await link.state("online")
  expect(levels).toEqual([5, 4, 4])
})

test("a broker that refuses user or password is not asked again; one that is busy is", async () => {
  const strict = await answering(() => CONNACK(4))
  const { why } = await strict.link.state("stopped")
  expect(why).toMatchObject({ code: "refused" })
  expect(why.message).toContain("user name or password")

  let busy = true
  const { link } = await answering(() => CONNACK(busy ? 3 : 0))
  expect((await link.state("offline")).why.code).toBe("unavailable")
  busy = false
  await link.state("online")
})

test("a broker that announces a packet of 256 MiB is hung up on", async () => {
  const { link } = await answering(() =>
    Buffer.concat([CONNACK(0), Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])]),
  )
  const { why } = await link.state("offline")
  expect(why.message).toContain("over the limit")
})

test("a guest comes as somebody else each time, and leaves nothing behind", async () => {
  const { broker } = await people()
  const trust = { kind: "pin", pin: pinOf(world.authority.caCertificate) } as const
  const address = { host: "127.0.0.1", port: portOf(broker) }
  const guest = () => {
    const wire = dial({ address, trust, credential: { kind: "guest" } })
    wires.push(wire)
    return wire
  }
  const [one, other] = [guest(), guest()]
  await Promise.all([one, other].map((wire) => wire.transport.subscribe("mc/1/p/7")))
  await one.publish("mc/1/p/7", Buffer.from("hello"))
  expect(text((await other.frame()).payload)).toBe("hello")
  expect((await faultOf(one.transport.subscribe(`mc/1/i/${newId()}/+`))).code).toBe("refused")
})
