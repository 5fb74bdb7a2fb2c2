import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { systemRandom } from "../../src/crypto/random.ts"
import { BACKENDS, useBackend } from "../../src/crypto/nacl.ts"
import { onPqFrame, startStep } from "../../src/session/pq.ts"
import { open, seal } from "../../src/session/ratchet.ts"
import { encodeSession } from "../../src/session/snapshot.ts"
import { establishedSessions, runHandshake, NOW } from "../session/session-fixture.ts"
import { libsignalPair, TEXT } from "./libsignal.mjs"

/** The competitors take turns in many short rounds, so that a busy moment of the machine slows all of them. */
const ROUNDS = 40
const ROUND_MS = 150
/** What a competitor runs before its first round, so that V8 compiles it. */
const WARM_UP_MS = 1500

const frames = [
  { kind: "text", id: new Uint8Array(8), time: 1_800_000_000_000, text: TEXT },
  { kind: "number", number: 0 },
]

/** Alice and Bob over this project's `session`, without or with the post-quantum steps and the snapshots for a store. */
function ourPair({ steps, snapshots }) {
  const sessions = establishedSessions(systemRandom)
  const deliver = (from, to, content) => {
    const sealed = seal(sessions[from], content, systemRandom)
    sessions[from] = sealed.next
    const opened = open(sessions[to], sealed.wire, NOW)
    sessions[to] = opened.next
    if (snapshots) {
      encodeSession(sessions[from])
      encodeSession(sessions[to])
    }
    if (steps) opened.frames.forEach((frame) => step(from, to, frame))
  }
  const step = (from, to, frame) => {
    if (frame.kind !== "pq-ek" && frame.kind !== "pq-ct") return
    const { next, reply } = onPqFrame(sessions[to], frame, NOW, systemRandom)
    sessions[to] = next
    if (reply) deliver(to, from, [reply])
  }
  const senderOf = (from, to) => () => {
    const started = steps && startStep(sessions[from], NOW, systemRandom)
    if (started) {
      sessions[from] = started.next
      deliver(from, to, [started.frame])
    }
    deliver(from, to, frames)
  }
  return { alice: senderOf("alice", "bob"), bob: senderOf("bob", "alice") }
}

/** Twenty messages at a time; ours are synchronous, so no promise is counted against them. */
const turns = (pair) => () => {
  for (let at = 0; at < 10; at += 1) {
    pair.alice()
    pair.bob()
  }
  return 20
}
/** Bob answers now and then, since a chain ends after 65,535 messages. */
const stream = (pair) => {
  let count = 0
  return () => {
    for (let at = 0; at < 20; at += 1) pair.alice()
    count += 20
    if (count % 20_000 === 0) pair.bob()
    return 20
  }
}
const turnsOf = (pair) => async () => {
  for (let at = 0; at < 10; at += 1) {
    await pair.alice(TEXT)
    await pair.bob(TEXT)
  }
  return 20
}
const streamOf = (pair) => async () => {
  for (let at = 0; at < 20; at += 1) await pair.alice(TEXT)
  return 20
}

const COMPETITORS = {
  libsignal: async () => {
    const pair = await libsignalPair(process.env.MQTTCHAT_BENCH_LIBSIGNAL)
    return { turns: turnsOf(pair), stream: streamOf(pair) }
  },
  ratchet: () => talks({ steps: false, snapshots: false }),
  "with post-quantum steps": () => talks({ steps: true, snapshots: false }),
  "with steps and snapshots": () => talks({ steps: true, snapshots: true }),
  "set-up": () => ({ meetings: () => runHandshake(systemRandom) && 1 }),
}

function talks(extent) {
  return { turns: turns(ourPair(extent)), stream: stream(ourPair(extent)) }
}

/** Each in its own process, as in real use: garbage of one, or code that V8 compiled for it, must not slow another. */
async function compete(name, backend) {
  await useBackend(backend)
  const games = await COMPETITORS[name]()
  process.on("message", async ({ game, milliseconds }) => {
    const used = process.cpuUsage()
    const end = performance.now() + milliseconds
    let count = 0
    while (performance.now() < end) count += await games[game]()
    const { user, system } = process.cpuUsage(used)
    process.send({ count, seconds: (user + system) / 1e6 })
  })
  process.send("ready")
}

/** A competitor's process, once it is ready. `runRound` gives the messages and the processor seconds that they took. */
async function startEntry(name, backend) {
  const child = fork(fileURLToPath(import.meta.url), [name, backend])
  await once(child, "message")
  const runRound = async (game, milliseconds) => {
    child.send({ game, milliseconds })
    const [result] = await once(child, "message")
    return result
  }
  return { name, runRound, leave: () => child.kill() }
}

/** Messages per second of processor time: other programs on the machine then matter less. */
async function contest(game, entries) {
  const totals = new Map(entries.map(({ name }) => [name, { count: 0, seconds: 0 }]))
  for (const { runRound } of entries) await runRound(game, WARM_UP_MS)
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name, runRound } of entries) {
      const { count, seconds } = await runRound(game, ROUND_MS)
      const total = totals.get(name)
      total.count += count
      total.seconds += seconds
    }
  }
  return [...totals].map(([name, { count, seconds }]) => ({ name, rate: count / seconds }))
}

function print(title, results) {
  const base = results.find(({ name }) => name === "libsignal")
  console.log(`  ${title}`)
  for (const { name, rate } of results) {
    const ratio = base && name !== "libsignal" ? `  ${(rate / base.rate).toFixed(2)}x libsignal` : ""
    console.log(`    ${name.padEnd(26)}${Math.round(rate).toString().padStart(8)} /s${ratio}`)
  }
}

async function benchBackend(backend) {
  console.log(`\n${backend}`)
  const names = Object.keys(COMPETITORS).filter((name) => name !== "set-up")
  const asked = process.env.MQTTCHAT_BENCH_LIBSIGNAL ? names : names.filter((name) => name !== "libsignal")
  const entries = await Promise.all(asked.map((name) => startEntry(name, backend)))
  const meetings = await startEntry("set-up", backend)
  print(
    "turns: 256 bytes encrypted and decrypted, a new key at every message",
    await contest("turns", entries),
  )
  print("stream: 256 bytes encrypted and decrypted, one side speaking", await contest("stream", entries))
  print(
    "set-up: two identities, two bundles, INIT written and accepted",
    await contest("meetings", [meetings]),
  )
  for (const { leave } of [...entries, meetings]) leave()
}

const [, , name, backend] = process.argv
if (backend !== undefined) await compete(name, backend)
else for (const each of name === undefined ? BACKENDS : [name]) await benchBackend(each)
