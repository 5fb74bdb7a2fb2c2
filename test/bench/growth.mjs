import { readFileSync, statSync } from "node:fs"
import { createInterface } from "node:readline"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { caller, openPrograms } from "./programs.mjs"

const { values } = parseArgs({ options: { messages: { type: "string", default: "100000" } } })
const MESSAGES = Number(values.messages)
const TENTHS = 10
/** As many requests as the daemon works on at once. */
const IN_FLIGHT = 64
/** The daemon keeps 10,000 messages for a contact and refuses more. */
const UNDER_WAY_MAX = 5_000
const TEXT = "x".repeat(64)
const REPORTING = ["--expose-gc", "--require", join(import.meta.dirname, "report-memory.cjs")]

const { mqttchat, start, pair, end, fileOf } = openPrograms()

/** A daemon, and what it holds once all garbage is gone, MB. */
async function startDaemon(user) {
  const { child, object } = await start(user, "socket", ["daemon"], REPORTING)
  const lines = createInterface({ input: child.stderr })
  const held = () =>
    new Promise((resolve) => {
      lines.once("line", (line) => resolve(JSON.parse(line)))
      child.kill("SIGUSR2")
    })
  return { ...caller(object.socket), user, held, pid: child.pid }
}

/** What the system gives it now, MB. */
function memoryNow(pid) {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024)
}

async function describe({ user, pid, held }) {
  const before = memoryNow(pid)
  const { heapUsed, external, arrayBuffers } = await held()
  const disk = Math.round(statSync(fileOf(user, "messages.db")).size / 1e6)
  return `${user} ${before} MB, heap ${heapUsed}, external ${external}, buffers ${arrayBuffers}, disk ${disk}`
}

/** Sends the next so many; ends when all have arrived. */
async function sendTenth(alice, bob, count) {
  let [sent, arrived] = [0, 0]
  const waiting = []
  const all = new Promise((resolve) =>
    bob.listen(({ kind }) => {
      if (kind !== "message") return
      waiting.shift()?.()
      if (++arrived === count) resolve()
    }),
  )
  const lane = async () => {
    while (sent < count) {
      sent++
      await alice.ask("send", { contact: "bob", text: TEXT, wait: "queued" })
      if (sent - arrived > UNDER_WAY_MAX) await new Promise((resolve) => waiting.push(resolve))
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  await all
}

try {
  mqttchat("alice", "init", "--name", "alice", "--no-passphrase", "--broker", "here")
  await start("alice", "port", ["broker", "--loopback", "--port", "0"])
  await pair("bob")
  const [alice, bob] = [await startDaemon("alice"), await startDaemon("bob")]
  await bob.ask("listen")
  await alice.ask("send", { contact: "bob", text: "first", wait: "delivered" })
  for (let tenth = 1; tenth <= TENTHS; tenth++) {
    const begun = performance.now()
    await sendTenth(alice, bob, MESSAGES / TENTHS)
    const rate = Math.round(MESSAGES / TENTHS / ((performance.now() - begun) / 1000))
    console.log(`${tenth}/${TENTHS} ${rate}/s; ${await describe(alice)}; ${await describe(bob)}`)
  }
  for (const daemon of [alice, bob]) daemon.end()
} finally {
  await end()
}
