import { once } from "node:events"
import { connect as connectTls } from "node:tls"
import { enroll } from "../../src/transport/enroll.ts"
import { memoryOf, openMany } from "../broker/raw-client.ts"
import { buildActors } from "../build.ts"
import { connect, newId, newBrokerFixture, optionsFor } from "../broker/broker-fixture.ts"
import { mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { newApplicant, newRegistrarFixture } from "../registrar/registrar-fixture.ts"

/** Both brokers in turn, so that a slow minute of the machine slows both; ranges, not single figures. */
const ROUNDS = 5
const MESSAGES = 12_000
/** Warm-up messages before anything is measured: a broker that runs for months has warm code. */
const WARM_UP = 40_000
/** One pair as in the usual comparisons, and four pairs like our own client, which has ten in flight. */
const MODES = [
  { name: "one pair", pairs: 1, inFlight: 15 },
  { name: "four pairs", pairs: 4, inFlight: 10 },
]
const PINGS = 1_000
const BYTES = 256
const CONNECTS = 100
const IDLE = 1_000
const REGISTRATIONS = 20
const MIB = 1024 * 1024

await buildActors()
const fixture = await newBrokerFixture()
const devices = await fixture.devices(IDLE)
const ours = await fixture.spawn(0)
const brokers = new Map([["embedded", { port: ours.port, pid: ours.pid }]])
const mosquitto = mosquittoIsMissing() ? undefined : await startMosquitto("shipped", fixture.authority)
if (mosquitto) brokers.set("mosquitto", { port: mosquitto.port, pid: mosquitto.pid })
else console.log("mosquitto is not installed: nothing to compare with")

const quantile = (values, q) => values.toSorted((a, b) => a - b)[Math.floor(values.length * q)]
const median = (values) => quantile(values, 0.5)
const range = (values) =>
  `${median(values).toFixed(0)} [${Math.min(...values).toFixed(0)}-${Math.max(...values).toFixed(0)}]`

/** Without Nagle's algorithm, as in our own client: with it a second message waits for the first one's PUBACK. */
async function dial(options) {
  const testClient = await connect(options)
  testClient.client.stream.setNoDelay(true)
  return testClient
}

/** A sender and a receiver whose queue outlives the connection, as ours do. */
async function couple(port) {
  const [alice, bob] = [await fixture.device(), await fixture.device()]
  const sender = await dial(optionsFor(fixture, port, alice))
  const receiver = await dial(optionsFor(fixture, port, bob))
  const topic = `mc/1/i/${bob.id}/${newId()}`
  await receiver.client.subscribeAsync(topic, { qos: 1 })
  const end = () => Promise.all([sender.client.endAsync(), receiver.client.endAsync()])
  return { sender, receiver, topic, end }
}

/** Each of `pairs` senders has `inFlight` messages in flight to its receiver, all at the same time. */
async function messagesPerSecond(port, { pairs, inFlight }, messages = MESSAGES) {
  const couples = await Promise.all(Array.from({ length: pairs }, () => couple(port)))
  const payload = Buffer.alloc(BYTES, "x")
  const each = messages / pairs
  const begun = performance.now()
  const talks = couples.map(async ({ sender, receiver, topic }) => {
    let next = 0
    const lane = async () => {
      while (next++ < each) await sender.client.publishAsync(topic, payload, { qos: 1 })
    }
    const all = receiver.waitFor(each)
    await Promise.all(Array.from({ length: inFlight }, lane))
    await all
  })
  await Promise.all(talks)
  const seconds = (performance.now() - begun) / 1000
  await Promise.all(couples.map(({ end }) => end()))
  return messages / seconds
}

/** Milliseconds from publish to receipt with nothing else in flight. */
async function latencies(port) {
  const { sender, receiver, topic, end } = await couple(port)
  const payload = Buffer.alloc(BYTES, "x")
  const taken = []
  for (let ping = 0; ping < PINGS; ping += 1) {
    const received = once(receiver.client, "message")
    const begun = performance.now()
    const acknowledged = sender.client.publishAsync(topic, payload, { qos: 1 })
    await received
    taken.push(performance.now() - begun)
    await acknowledged
  }
  await end()
  return taken
}

/** Milliseconds for TCP, a resumed TLS session and CONNACK. */
async function resumedConnects(port) {
  const device = await fixture.device()
  const options = { ...optionsFor(fixture, port, device), session: await ticketOf(port, device) }
  const taken = []
  for (let round = 0; round < CONNECTS; round += 1) {
    const begun = performance.now()
    const { client } = await connect(options)
    taken.push(performance.now() - begun)
    if (!client.stream.isSessionReused()) throw new Error("the session was not resumed")
    await client.endAsync()
  }
  return taken
}

async function ticketOf(port, { certificate: cert, key }) {
  const ca = fixture.authority.caCertificate
  const socket = connectTls({ host: "127.0.0.1", port, ca, cert, key, ALPNProtocols: ["mqtt"] })
  const [ticket] = await once(socket, "session")
  socket.destroy()
  return ticket
}

/** Memory growth of a broker that is already warm, for a thousand TLS clients that are connected and subscribed. */
async function idleBytes({ port, pid }) {
  const { end } = await couple(port)
  await end()
  const before = await memoryOf(pid)
  const clients = await openMany({ port, ca: fixture.authority.caCertificate }, devices)
  const grown = (await memoryOf(pid)) - before
  for (const { socket } of clients) socket.destroy()
  return grown
}

/** Milliseconds from a guest's connection to the device's first own connection. */
async function registration(registrarFixture, name) {
  const invitation = await registrarFixture.invite(name)
  const begun = performance.now()
  const guest = registrarFixture.openTransport()
  await guest.state("online")
  const credential = await enroll(newApplicant(), { publisher: guest, invitation, deviceName: "laptop" })
  const member = registrarFixture.openTransport(credential)
  await member.state("online")
  const taken = performance.now() - begun
  await Promise.all([guest.close(), member.close()])
  return taken
}

const report = (name, what, figure) => console.log(`${name.padEnd(10)} ${what.padEnd(46)} ${figure}`)
const rates = new Map()
const delays = new Map()
for (const [name, broker] of brokers) {
  report(name, `${IDLE} idle TLS clients, MiB`, ((await idleBytes(broker)) / MIB).toFixed(1))
  for (const mode of MODES) rates.set(`${name} ${mode.name}`, [])
  delays.set(name, [])
}
for (const { port } of brokers.values()) await messagesPerSecond(port, MODES[0], WARM_UP)
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [name, { port }] of brokers) {
    for (const mode of MODES) {
      rates.get(`${name} ${mode.name}`).push(await messagesPerSecond(port, mode))
    }
    delays.get(name).push(...(await latencies(port)))
  }
}
for (const [name, { port }] of brokers) {
  const delay = delays.get(name)
  for (const mode of MODES) {
    report(name, `QoS 1, ${BYTES} B, ${mode.name}, messages/s`, range(rates.get(`${name} ${mode.name}`)))
  }
  report(
    name,
    "publish to receipt, p50 / p99, ms",
    `${median(delay).toFixed(2)} / ${quantile(delay, 0.99).toFixed(2)}`,
  )
  report(name, "resumed connect, p50, ms", median(await resumedConnects(port)).toFixed(2))
}
const registrarFixture = await newRegistrarFixture()
const registrations = []
for (let n = 0; n < REGISTRATIONS; n += 1)
  registrations.push(await registration(registrarFixture, `person-${n}`))
report("embedded", "registration of a device, p50, ms", median(registrations).toFixed(0))
if (mosquitto) {
  for (const { name } of MODES) {
    const theirs = rates.get(`mosquitto ${name}`)
    const shares = rates.get(`embedded ${name}`).map((rate, round) => rate / theirs[round])
    report(
      "embedded",
      `of Mosquitto's messages/s, ${name}, by round`,
      shares.map((share) => share.toFixed(2)).join(" "),
    )
  }
  const worst = (name) => quantile(delays.get(name), 0.99)
  report("embedded", "times Mosquitto's p99", (worst("embedded") / worst("mosquitto")).toFixed(2))
}
await registrarFixture.end()
await mosquitto?.close()
await fixture.end()
