import { readFileSync } from "node:fs"
import { parseArgs } from "node:util"
import mqtt from "mqtt"
import { systemRandom } from "../../src/crypto/random.ts"
import { openKeyFile } from "../../src/keystore/keyfile.ts"
import { caller, openPrograms } from "./programs.mjs"

const { values } = parseArgs({ options: { messages: { type: "string", default: "10000" } } })
/** How many messages go through the pipeline; 100000 shows whether anything grows. */
const MESSAGES = Number(values.messages)
const ROUNDS = 25
const PINGS = 500
/** As many requests as the daemon works on at once, and as plain clients have in flight. */
const IN_FLIGHT = 64
/** The daemon keeps 10,000 messages for a contact and refuses more. */
const UNDER_WAY_MAX = 5_000
const TEXT = "x".repeat(64)

const { run, mqttchat, start, pair, end, fileOf } = openPrograms()

const quantile = (all, q) => all.toSorted((a, b) => a - b)[Math.floor(all.length * q)]

function rss(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024
}

function starts() {
  const commands = new Map([
    ["node -e 0", () => run("alice", "-e", "0")],
    ["send --no-wait", () => mqttchat("alice", "send", "bob", TEXT, "--no-wait")],
    ["send, to PUBACK", () => mqttchat("alice", "send", "bob", TEXT)],
  ])
  const times = new Map([...commands.keys()].map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, command] of commands) {
      const begun = performance.now()
      command()
      times.get(name).push(performance.now() - begun)
    }
  }
  const base = quantile(times.get("node -e 0"), 0.5)
  for (const [name, taken] of times) {
    const ms = quantile(taken, 0.5)
    console.log(`${name.padEnd(30)} ${ms.toFixed(1).padStart(8)} ms  ${(ms / base).toFixed(2)} x`)
  }
}

async function roundTrips(alice, wait) {
  const taken = []
  for (let ping = 0; ping < PINGS; ping++) {
    const begun = performance.now()
    const { state } = await alice.ask("send", { contact: "bob", text: TEXT, wait, timeoutMs: 10_000 })
    taken.push(performance.now() - begun)
    if (state !== wait && state !== "delivered") throw new Error(`it is ${state} and not ${wait}`)
  }
  const [p50, p99] = [0.5, 0.99].map((q) => quantile(taken, q).toFixed(2))
  console.log(`${`API send to ${wait}`.padEnd(30)} ${p50.padStart(8)} ms  p99 ${p99}`)
}

/** The daemons' memory at regular points of the pipeline: a single sample depends on when V8 collects garbage. */
const samples = { alice: [], bob: [] }
const SAMPLE_EVERY = Math.max(1, Math.floor(MESSAGES / 200))

/** The median of a tenth of the pipeline, counted from 0; the first is left out because V8 compiles in it. */
function tenth(of, number) {
  const size = Math.floor(of.length / 10)
  return quantile(of.slice(number * size, (number + 1) * size), 0.5).toFixed(0)
}

/** Messages a second from the request to the event at the peer, both sides on disk. */
async function pipeline(alice, bob, sample) {
  let arrived = 0
  let sent = 0
  const waiting = []
  const all = new Promise((resolve) => {
    bob.listen(({ kind }) => {
      if (kind !== "message") return
      arrived++
      if (arrived % SAMPLE_EVERY === 0) sample()
      waiting.shift()?.()
      if (arrived === MESSAGES) resolve()
    })
  })
  const begun = performance.now()
  const lane = async () => {
    while (sent < MESSAGES) {
      sent++
      await alice.ask("send", { contact: "bob", text: TEXT, wait: "queued" })
      if (sent - arrived > UNDER_WAY_MAX) await new Promise((resolve) => waiting.push(resolve))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  const stored = MESSAGES / ((performance.now() - begun) / 1000)
  await all
  const received = MESSAGES / ((performance.now() - begun) / 1000)
  console.log(`API send to own disk           ${stored.toFixed(0).padStart(8)} messages/s`)
  console.log(`API send to peer's commit      ${received.toFixed(0).padStart(8)} messages/s`)
  return received
}

async function plainClient(user, port) {
  const { ring } = await openKeyFile(fileOf(user, "identity.key"), "", systemRandom)
  const { certificate: cert, key, deviceId } = ring.credential
  const url = `mqtts://127.0.0.1:${port}`
  const options = {
    cert,
    key,
    clientId: deviceId,
    rejectUnauthorized: false,
    ALPNProtocols: ["mqtt"],
    clean: false,
  }
  return { client: await mqtt.connectAsync(url, { ...options, protocolVersion: 4 }), deviceId }
}

/** The same over the same broker with plain mqtt.js, QoS 1; only the broker writes to disk. */
async function plain(port) {
  const [carol, dave] = [await plainClient("carol", port), await plainClient("dave", port)]
  const topic = `mc/1/i/${dave.deviceId}/${Buffer.alloc(16, 7).toString("base64url")}`
  await dave.client.subscribeAsync(topic, { qos: 1 })
  let received = 0
  const all = new Promise((resolve) => dave.client.on("message", () => ++received === MESSAGES && resolve()))
  const payload = Buffer.alloc(256, "x")
  const begun = performance.now()
  let sent = 0
  const lane = async () => {
    while (sent++ < MESSAGES) await carol.client.publishAsync(topic, payload, { qos: 1 })
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  await all
  const rate = MESSAGES / ((performance.now() - begun) / 1000)
  console.log(`plain mqtt.js, QoS 1           ${rate.toFixed(0).padStart(8)} messages/s`)
  await Promise.all([carol, dave].map(({ client }) => client.endAsync()))
  return rate
}

try {
  mqttchat("alice", "init", "--name", "alice", "--no-passphrase", "--broker", "here")
  const broker = await start("alice", "port", ["broker", "--loopback", "--port", "0"])
  for (const name of ["bob", "carol", "dave"]) await pair(name)
  const daemons = {
    alice: await start("alice", "socket", ["daemon"]),
    bob: await start("bob", "socket", ["daemon"]),
  }
  const [alice, bob] = Object.values(daemons).map(({ object }) => caller(object.socket))
  await bob.ask("listen")
  await alice.ask("send", { contact: "bob", text: "first", wait: "delivered" })
  const memory = (when) => {
    const [a, b] = Object.values(daemons).map(({ child }) => rss(child.pid).toFixed(0))
    console.log(`daemons ${when}`.padEnd(30), `${a} MB and ${b} MB`.padStart(20))
  }
  memory("at rest")
  starts()
  await roundTrips(alice, "broker")
  await roundTrips(alice, "delivered")
  memory("after these")
  const sample = () => {
    for (const [name, { child }] of Object.entries(daemons)) samples[name].push(rss(child.pid))
  }
  const ratio = (await pipeline(alice, bob, sample)) / (await plain(broker.object.port))
  console.log(`                               ${ratio.toFixed(2).padStart(8)} x plain`)
  for (const [name, of] of Object.entries(samples)) {
    const grown = `${tenth(of, 1)} MB, then ${tenth(of, 9)} MB`
    console.log(`${name}, second and last tenth`.padEnd(30), grown.padStart(20))
  }
  for (const peer of [alice, bob]) peer.end()
} finally {
  await end()
}
