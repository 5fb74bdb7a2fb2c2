import { spawnSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { systemRandom } from "../../src/crypto/random.ts"
import { BACKENDS, useBackend } from "../../src/crypto/nacl.ts"
import { onPqFrame, startStep } from "../../src/session/pq.ts"
import { open, seal } from "../../src/session/ratchet.ts"
import { encodeSession } from "../../src/session/snapshot.ts"
import { acquainted, meet, NOW } from "../session/people.ts"
import { libsignalPair, TEXT } from "./libsignal.mjs"

/** Each figure is the median of so many rounds, the competitors taking turns, so that a busy moment spoils none. */
const ROUNDS = 9
/** Long enough to hold some collections of garbage: who makes it pays for it. */
const ROUND_MS = 500
const WARM_UP_MS = 200

const frames = [{ kind: "text", time: 1_800_000_000_000, replyTo: undefined, text: TEXT }]

/** Alice and Bob over this project's session room, without or with the post-quantum steps and the snapshots for a store. */
function ourPair({ steps, snapshots }) {
  const people = acquainted(systemRandom)
  const post = (from, to, said) => {
    const sealed = seal(people[from], said, systemRandom)
    people[from] = sealed.next
    const opened = open(people[to], sealed.wire, NOW)
    people[to] = opened.next
    if (snapshots) {
      encodeSession(people[from])
      encodeSession(people[to])
    }
    if (steps) opened.frames.forEach((frame) => step(from, to, frame))
  }
  const step = (from, to, frame) => {
    if (frame.kind !== "pq-ek" && frame.kind !== "pq-ct") return
    const { next, reply } = onPqFrame(people[to], frame, systemRandom)
    people[to] = next
    if (reply) post(to, from, [reply])
  }
  const say = (from, to) => () => {
    const started = steps && startStep(people[from], NOW, systemRandom)
    if (started) {
      people[from] = started.next
      post(from, to, [started.frame])
    }
    post(from, to, frames)
  }
  return { alice: say("alice", "bob"), bob: say("bob", "alice") }
}

function contest(name, run) {
  return { name, run, rates: [] }
}

/**
 * Messages a second of processor time: other programs on the machine then count for little. What the competitor before
 * left behind is swept first; the sweep costs V8 some of its compiled code too, so a warm-up follows. Neither is counted.
 */
async function round(entry) {
  globalThis.gc()
  await runFor(entry, WARM_UP_MS)
  const used = process.cpuUsage()
  const count = await runFor(entry, ROUND_MS)
  const { user, system } = process.cpuUsage(used)
  entry.rates.push((1e6 * count) / (user + system))
}

async function runFor({ run }, milliseconds) {
  const end = performance.now() + milliseconds
  let count = 0
  while (performance.now() < end) count += await run()
  return count
}

function median({ rates }) {
  return rates.toSorted((a, b) => a - b)[(ROUNDS - 1) / 2]
}

async function inTurns(title, entries) {
  for (let at = 0; at < ROUNDS; at += 1) for (const entry of entries) await round(entry)
  const base = entries.find(({ name }) => name === "libsignal")
  console.log(`  ${title}`)
  for (const entry of entries) {
    const ratio = base && entry !== base ? `  ${(median(entry) / median(base)).toFixed(2)}x libsignal` : ""
    console.log(`    ${entry.name.padEnd(26)}${Math.round(median(entry)).toString().padStart(8)} /s${ratio}`)
  }
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

async function benchBackend(backend) {
  await useBackend(backend)
  console.log(`\n${backend}`)
  const folder = process.env.MQTTCHAT_BENCH_LIBSIGNAL
  const signal = folder ? await libsignalPair(folder) : undefined
  if (signal) await turnsOf(signal)()
  const entries = (ours, theirs) => [
    ...(signal ? [contest("libsignal", theirs(signal))] : []),
    contest("ratchet", ours(ourPair({ steps: false, snapshots: false }))),
    contest("with post-quantum steps", ours(ourPair({ steps: true, snapshots: false }))),
    contest("with steps and snapshots", ours(ourPair({ steps: true, snapshots: true }))),
  ]
  await inTurns(
    "turns: 256 bytes encrypted and decrypted, a new key at every message",
    entries(turns, turnsOf),
  )
  await inTurns("stream: 256 bytes encrypted and decrypted, one side speaking", entries(stream, streamOf))
  const setUp = () => meet(systemRandom) && 1
  await inTurns("set-up: two identities, two bundles, INIT written and accepted", [contest(backend, setUp)])
}

/** One process for each backend, as in life: what is measured is not the cost of having used another before. */
function benchAll() {
  for (const backend of BACKENDS) {
    const script = [...process.execArgv, "--expose-gc", fileURLToPath(import.meta.url), backend]
    spawnSync(process.execPath, script, { stdio: "inherit" })
  }
}

const [, , backend] = process.argv
if (backend === undefined) benchAll()
else await benchBackend(backend)
