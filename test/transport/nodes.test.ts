import { afterEach, beforeEach, expect, test } from "vitest"
import { pinOf } from "../../src/broker/certificates.ts"
import type { BrokerAddress } from "../../src/transport/transport.ts"
import { type Device, newId, newWorld, portOf, type World } from "../broker/world.ts"
import { dial, type Wire } from "./post.ts"

let world: World
let wires: Wire[] = []

beforeEach(async () => {
  world = await newWorld()
})
afterEach(async () => {
  await Promise.all(wires.map((wire) => wire.close()))
  wires = []
  await world.end()
})

function call(device: Device, ...nodes: readonly number[]): Wire {
  const [address, ...others] = nodes.map((port): BrokerAddress => ({ host: "127.0.0.1", port }))
  const wire = dial({
    address: address ?? { host: "127.0.0.1", port: 1 },
    others,
    trust: { kind: "pin", pin: pinOf(world.authority.caCertificate) },
    credential: { kind: "device", deviceId: device.id, certificate: device.certificate, key: device.key },
    mqttVersion: 4,
  })
  wires.push(wire)
  return wire
}

/** Nodes of one broker: each with its own certificate of the same authority. */
async function nodes() {
  const [first, second] = [
    await world.start({ journalPath: `${world.folder}/first` }),
    await world.start({ journalPath: `${world.folder}/second` }),
  ]
  return { first, second }
}

test("a link goes to the next node when its own ends, subscriptions and all, and back again", async () => {
  const { first, second } = await nodes()
  const [alice, bob] = [await world.device(), await world.device()]
  const mailbox = `mc/1/i/${alice.id}/${newId()}`
  const atAlice = call(alice, portOf(first), portOf(second))
  await atAlice.transport.subscribe(mailbox)
  await first.close()
  // granted by the node where the link is now
  await atAlice.transport.subscribe(`mc/1/i/${alice.id}/${newId()}`)
  const atBob = call(bob, portOf(second))
  await atBob.state("online")
  await atBob.publish(mailbox, Buffer.from("over there"))
  expect(Buffer.from((await atAlice.frame()).payload).toString()).toBe("over there")

  const back = await world.start({
    listen: [{ host: "127.0.0.1", port: portOf(first) }],
    journalPath: `${world.folder}/first`,
  })
  await second.close()
  await atAlice.transport.subscribe(`mc/1/i/${alice.id}/${newId()}`)
  expect(back.stats().connections.device).toBe(1)
})

test("a node that is down at the start is passed over", async () => {
  const { first, second } = await nodes()
  await first.close()
  const atAlice = call(await world.device(), portOf(first), portOf(second))
  await atAlice.state("online")
})

test("a node that refuses us for good does not end the link while another takes us", async () => {
  const { first } = await nodes()
  const stranger = await newWorld()
  const refusing = await stranger.start()
  const atAlice = call(await world.device(), portOf(refusing), portOf(first))
  await atAlice.state("online")
  await stranger.end()
})

test("the link ends for good when every node refuses it", async () => {
  const stranger = await newWorld()
  const refusing = [
    await stranger.start(),
    await stranger.start({ journalPath: `${stranger.folder}/second` }),
  ]
  const atAlice = call(await world.device(), ...refusing.map(portOf))
  await atAlice.state("stopped")
  expect(atAlice.states.map(({ kind }) => kind)).toEqual(["offline", "stopped"])
  await stranger.end()
})
