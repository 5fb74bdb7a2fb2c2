import { spawn } from "node:child_process"
import { once } from "node:events"
import { setPriority } from "node:os"
import { join } from "node:path"
import { buildActors } from "../build.ts"
import { connect, newBrokerFixture, newId, optionsFor } from "../broker/broker-fixture.ts"

/** Four guests from each of sixteen addresses, in two processes that give way to others. */
const ADDRESSES = Array.from({ length: 16 }, (_, n) => `127.0.0.${n + 2}`)
const GUESTS = ADDRESSES.flatMap((localAddress) => Array.from({ length: 4 }, () => ({ localAddress })))
const KINDS = [
  "subscribe",
  "unsubscribe",
  "subscribe, allowed",
  "ping",
  "publish",
  "acknowledge",
  "connect",
  "silent",
]
const DEVICE_KINDS = ["subscribe", "unsubscribe", "ping", "publish", "acknowledge"]
const GENERATORS = 2
const NICEST = 19
/** One message every so often, for so long. */
const EVERY_MS = 5
const SECONDS = Number(process.env["FLOOD_SECONDS"] ?? 10)
/** The honest pair's 99th percentile stays below the larger of these. */
const P99_MAX_MS = 20
const P99_MAX_TIMES = 10

await buildActors()
const fixture = await newBrokerFixture()
const ca = fixture.authority.caCertificate

const quantile = (values, q) => values.toSorted((a, b) => a - b)[Math.floor(values.length * q)]
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Milliseconds from publish to receipt, of one message after the other. */
async function latencies(port) {
  const [alice, bob] = await fixture.devices(2)
  const [atAlice, atBob] = [
    await connect(optionsFor(fixture, port, alice)),
    await connect(optionsFor(fixture, port, bob)),
  ]
  for (const { client } of [atAlice, atBob]) client.stream.setNoDelay(true)
  const topic = `mc/1/i/${bob.id}/${newId()}`
  await atBob.client.subscribeAsync(topic, { qos: 1 })
  const taken = []
  const until = performance.now() + SECONDS * 1000
  while (performance.now() < until) {
    const received = once(atBob.client, "message")
    const begun = performance.now()
    const acknowledged = atAlice.client.publishAsync(topic, "x".repeat(256), { qos: 1 })
    await received
    taken.push(performance.now() - begun)
    await acknowledged
    await sleep(EVERY_MS)
  }
  for (const { client } of [atAlice, atBob]) await client.endAsync()
  return taken
}

function startFlood(port, kind, clients) {
  return Array.from({ length: GENERATORS }, (_, n) => {
    const own = clients.filter((_client, index) => index % GENERATORS === n)
    const child = spawn(process.execPath, ["--import", "tsx", join(import.meta.dirname, "flood.mjs")], {
      stdio: ["pipe", "inherit", "inherit"],
    })
    setPriority(child.pid, NICEST)
    child.stdin.end(JSON.stringify({ port, ca, kind, clients: own }))
    return child
  })
}

/** A broker of its own each time: no budget is left over. */
async function measure(kind, clients) {
  const broker = await fixture.spawn(0, { limits: "shipped" })
  const flood = kind === undefined ? [] : startFlood(broker.port, kind, clients)
  const taken = await latencies(broker.port)
  for (const child of flood) child.kill("SIGKILL")
  await broker.end("SIGKILL")
  return {
    p50: quantile(taken, 0.5),
    p99: quantile(taken, 0.99),
    longest: Math.max(...taken),
    messages: taken.length,
  }
}

let bound = Infinity
function report(name, { p50, p99, longest, messages }) {
  const verdict = p99 < bound ? "" : `   ABOVE ${bound.toFixed(0)} ms`
  console.log(
    `${name.padEnd(34)} p50 / p99 / longest, ms ${[p50, p99, longest].map((ms) => ms.toFixed(2).padStart(8)).join(" / ")}, of ${messages} messages${verdict}`,
  )
  if (p99 >= bound) process.exitCode = 1
}

// The first one warms the clients up.
await measure(undefined, [])
const quiet = await measure(undefined, [])
report("quiet", quiet)
bound = Math.max(P99_MAX_MS, P99_MAX_TIMES * quiet.p99)
for (const kind of KINDS) report(`64 guests: ${kind}`, await measure(kind, GUESTS))
const members = (await fixture.devices(8)).map((device, n) => ({ ...device, localAddress: ADDRESSES[n] }))
for (const kind of DEVICE_KINDS) report(`8 devices: ${kind}`, await measure(kind, members))
await fixture.end()
