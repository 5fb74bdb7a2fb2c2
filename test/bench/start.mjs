import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"

/** Whole processes, in turn, so that a slow minute of the machine slows all of them. */
const ROUNDS = 15
const PROGRAM = join(import.meta.dirname, "../../dist/mqttchat.cjs")
const NAMES = join(PROGRAM, "../contact-names.cjs")
const PASSPHRASE = "correct horse battery staple"

const home = mkdtempSync(join(tmpdir(), "mqttchat-bench-"))
const passphraseFile = join(home, "passphrase")
writeFileSync(passphraseFile, PASSPHRASE, { mode: 0o600 })

const environment = (user) => ({ ...process.env, MQTTCHAT_HOME: join(home, user) })
const locked = ["--passphrase-file", passphraseFile]

function run(user, ...args) {
  const { status, stderr } = spawnSync(process.execPath, args, { env: environment(user), encoding: "utf8" })
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`)
}

const mqttchat = (user, ...args) => run(user, PROGRAM, ...args)

/** Starts a command that keeps running; also gives the first JSON object it prints that has `key`. */
async function startProcess(user, key, ...args) {
  const options = { env: environment(user), stdio: ["ignore", "pipe", "inherit"] }
  const child = spawn(process.execPath, [PROGRAM, ...args, "--json"], options)
  for await (const line of createInterface({ input: child.stdout })) {
    const object = JSON.parse(line)
    if (key in object) return { child, object }
  }
  throw new Error(`${args.join(" ")} ended early`)
}

async function stop(child) {
  child.kill("SIGTERM")
  if (child.exitCode === null) await once(child, "close")
}

/** Seconds from the moment the code is typed until both programs have ended, paired. */
async function pair(name, ...flags) {
  const { child, object } = await startProcess("alice", "offer", "pair", ...locked)
  const both = once(child, "close")
  const typed = performance.now()
  mqttchat(name, "pair", object.offer, "--my-name", name, "--name", `alice-${name}`, ...flags)
  await both
  return performance.now() - typed
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/** Runs each of the named commands once a round and gives the median milliseconds of each. */
function inTurn(commands) {
  const times = new Map(commands.map(([name]) => [name, []]))
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, command] of commands) {
      const begun = performance.now()
      command()
      times.get(name).push(performance.now() - begun)
    }
  }
  return new Map([...times].map(([name, values]) => [name, median(values)]))
}

function print(medians) {
  const base = medians.get("node -e 0")
  for (const [name, ms] of medians) {
    console.log(`${name.padEnd(34)} ${ms.toFixed(0).padStart(6)} ms ${(ms / base).toFixed(2).padStart(6)} x`)
  }
}

try {
  mqttchat("alice", "init", "--name", "alice", "--broker", "here", ...locked)
  const broker = await startProcess("alice", "port", "broker", "--loopback", "--port", "0", ...locked)
  const pairings = []
  for (const name of ["bob", "carol", "dave"]) pairings.push(await pair(name, "--no-passphrase"))
  const owner = await startProcess("dave", "offer", "pair")
  const send = () => mqttchat("bob", "send", "alice-bob", "hello")
  const derive = () => mqttchat("alice", "history", "bob", ...locked)
  const open = () => mqttchat("bob", "history", "alice-bob")
  print(
    inTurn([
      ["node -e 0", () => run("bob", "-e", "0")],
      ["mqttchat --version", () => mqttchat("bob", "--version")],
      ["names for the tab key, by an owner", () => run("dave", NAMES)],
      ["mqttchat --help", () => mqttchat("bob", "--help")],
      ["history, no passphrase", open],
      ["history, with key derivation", derive],
      ["send, cold process to PUBACK", send],
    ]),
  )
  console.log(
    `code typed to both sides paired     ${median(pairings).toFixed(0)} ms (a new identity included)`,
  )
  await stop(owner.child)
  await stop(broker.child)
} finally {
  rmSync(home, { recursive: true, force: true })
}
