import { afterEach, beforeEach, expect, test } from "vitest"
import { pinOf } from "../../src/broker/certificates.ts"
import { boundedLookup } from "../../src/transport/bounded-lookup.ts"
import { NO_ANSWER } from "../../src/transport/failures.ts"
import { inOrder } from "../../src/transport/nodes.ts"
import type { BrokerAddress } from "../../src/transport/transport.ts"
import { type Device, newId, newBrokerFixture, portOf, type BrokerFixture } from "../broker/broker-fixture.ts"
import { openTransport, type TransportFixture } from "./transport-fixture.ts"

let fixture: BrokerFixture
let clients: TransportFixture[] = []

beforeEach(async () => {
  fixture = await newBrokerFixture()
})
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()))
  clients = []
  await fixture.end()
})

function connect(device: Device, ...nodes: readonly number[]): TransportFixture {
  const [address, ...others] = nodes.map((port): BrokerAddress => ({ host: "127.0.0.1", port }))
  const client = openTransport({
    address: address ?? { host: "127.0.0.1", port: 1 },
    others,
    trust: { kind: "pin", pin: pinOf(fixture.authority.caCertificate) },
    credential: { kind: "device", deviceId: device.id, certificate: device.certificate, key: device.key },
    mqttVersion: 4,
  })
  clients.push(client)
  return client
}

/** Nodes of one broker: each with its own certificate of the same authority. */
async function nodes() {
  const [first, second] = [
    await fixture.start({ journalPath: `${fixture.folder}/first` }),
    await fixture.start({ journalPath: `${fixture.folder}/second` }),
  ]
  return { first, second }
}

test("a connection goes to the next node when its own ends, with its subscriptions, and back again", async () => {
  const { first, second } = await nodes()
  const [alice, bob] = [await fixture.device(), await fixture.device()]
  const mailbox = `mc/1/i/${alice.id}/${newId()}`
  const atAlice = connect(alice, portOf(first), portOf(second))
  await atAlice.transport.subscribe(mailbox)
  await first.close()
  // granted by the current node
  await atAlice.transport.subscribe(`mc/1/i/${alice.id}/${newId()}`)
  const atBob = connect(bob, portOf(second))
  await atBob.state("online")
  await atBob.publish(mailbox, Buffer.from("over there"))
  expect(Buffer.from((await atAlice.frame()).payload).toString()).toBe("over there")

  const back = await fixture.start({
    listen: [{ host: "127.0.0.1", port: portOf(first) }],
    journalPath: `${fixture.folder}/first`,
  })
  await second.close()
  await atAlice.transport.subscribe(`mc/1/i/${alice.id}/${newId()}`)
  expect(back.stats().connections.device).toBe(1)
})

test("a node that is down at the start is skipped", async () => {
  const { first, second } = await nodes()
  await first.close()
  const atAlice = connect(await fixture.device(), portOf(first), portOf(second))
  await atAlice.state("online")
  // a command that asks once how it stands would otherwise hear "offline"
  expect(atAlice.states.map(({ kind }) => kind)).toEqual(["online"])
})

test("a node that refuses us for good does not end the connection while another accepts us", async () => {
  const { first } = await nodes()
  const stranger = await newBrokerFixture()
  const refusing = await stranger.start()
  const atAlice = connect(await fixture.device(), portOf(refusing), portOf(first))
  await atAlice.state("online")
  await stranger.end()
})

test("the connection ends for good when every node refuses it", async () => {
  const stranger = await newBrokerFixture()
  const refusing = [
    await stranger.start(),
    await stranger.start({ journalPath: `${stranger.folder}/second` }),
  ]
  const atAlice = connect(await fixture.device(), ...refusing.map(portOf))
  await atAlice.state("stopped")
  expect(atAlice.states.map(({ kind }) => kind)).toEqual(["stopped"])
  await stranger.end()
})

const NO_SUCH_NAME = { host: "no-such-machine.local", port: 8883 }

test("the name of the broker's machine is tried after its addresses, and first where it worked last", () => {
  const node = (host: string) => ({ address: { host, port: 8883 } })
  const [ip, second, name] = [node("10.0.0.5"), node("10.0.0.6"), node("pi.local")] as const
  const nodes = [ip, name, second]
  expect(inOrder(nodes, undefined)).toEqual([ip, second, name])
  expect(inOrder(nodes, ip)).toEqual([second, ip, name])
  expect(inOrder(nodes, second)).toEqual([ip, second, name])
  expect(inOrder(nodes, name)).toEqual([name, ip, second])
  expect(inOrder([name, ip], undefined)).toEqual([name, ip])
})

test("a refusal counts although the machine's name leads nowhere", async () => {
  const stranger = await newBrokerFixture()
  const refusing = await stranger.start()
  const { id, certificate, key } = await fixture.device()
  const atAlice = openTransport({
    address: { host: "127.0.0.1", port: portOf(refusing) },
    others: [NO_SUCH_NAME],
    trust: { kind: "pin", pin: pinOf(fixture.authority.caCertificate) },
    credential: { kind: "device", deviceId: id, certificate, key },
    mqttVersion: 4,
  })
  clients.push(atAlice)
  const { why } = await atAlice.state("stopped")
  expect(why.message).toContain("127.0.0.1")
  await stranger.end()
})

test("a broker that is down is what Alice hears of, not a name that leads nowhere", async () => {
  const { id, certificate, key } = await fixture.device()
  const atAlice = openTransport({
    address: { host: "127.0.0.1", port: 1 },
    others: [NO_SUCH_NAME],
    trust: { kind: "pin", pin: pinOf(fixture.authority.caCertificate) },
    credential: { kind: "device", deviceId: id, certificate, key },
    mqttVersion: 4,
  })
  clients.push(atAlice)
  const { why } = await atAlice.state("offline")
  expect(why).toMatchObject({ code: "unavailable", cause: { code: "ECONNREFUSED" } })
})

test("a name that is never answered takes a bounded time, and one look-up at once", async () => {
  let asked = 0
  const look = boundedLookup(() => (asked += 1), 1)
  const once = () =>
    new Promise<string | undefined>((resolve) =>
      look("silent.local", {}, (error) => resolve(error === null ? undefined : error.code)),
    )
  expect(await Promise.all([once(), once()])).toEqual([NO_ANSWER, NO_ANSWER])
  expect(await once()).toBe(NO_ANSWER)
  expect(asked).toBe(1)
})
