import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { constants, tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { table } from "./demo-table.mjs"
import { ROOT, install, run } from "./ready.mjs"

const PROGRAM = join(ROOT, "dist", "mqttchat.cjs")
const CONVERSATION = [
  { from: "alice", to: "bob", text: "did the pi come up?" },
  { from: "bob", to: "alice", text: "yes, the broker runs on it now" },
  { from: "alice", to: "bob", text: "good. dinner at eight: bring the key to the shed" },
]
const NEXT = `What next
  npm pack && npm install --global ./mqttchat-*.tgz
                             makes mqttchat a command of this laptop
  mqttchat init              your own keys; choose to run the broker here
  mqttchat broker --lan      in a terminal of its own
  mqttchat pair              shows what a friend types on the other laptop
  npm run demo -- --interactive     be alice and bob yourself, in two terminals
`

install()
run(process.execPath, join(ROOT, "scripts", "build.mjs"))

const home = mkdtempSync(join(tmpdir(), "mqttchat-demo-"))
const children = new Set()
/** Rejects when a child fails that we did not stop: the awaited output will then never come. */
const failure = withReject()
let endedBy
const interrupted = new Promise((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.once(signal, () => {
      endedBy = signal
      resolve()
    })
  }
})

function withReject() {
  let reject
  const promise = new Promise((_resolve, rejects) => (reject = rejects))
  promise.catch(() => undefined)
  return { promise, reject }
}

/** Starts `mqttchat` as one of the two users; its standard error is shown only if it fails. */
function start(user, ...args) {
  const env = { ...process.env, MQTTCHAT_HOME: join(home, user), CI: "", NO_COLOR: "1" }
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ["ignore", "pipe", "pipe"] })
  children.add(child)
  child.speech = ""
  child.stderr.on("data", (chunk) => (child.speech += chunk))
  child.finished = once(child, "close").then(([status, signal]) => {
    children.delete(child)
    if (status === 0 || child.stopped || endedBy !== undefined) return
    failure.reject(new Error(`mqttchat ${args[0]} (${user}) ended with ${status ?? signal}\n${child.speech}`))
  })
  return child
}

async function stop(child) {
  child.stopped = true
  child.kill("SIGTERM")
  await child.finished
}

/** Every JSON object that a child prints, a line each. */
async function* objects(child) {
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line)
  await child.finished
}

async function all(child) {
  const found = []
  for await (const object of objects(child)) found.push(object)
  return found
}

/** The broker's output about itself and about each message that passes it. */
class Watch {
  #frames = []
  #passed = () => undefined

  constructor(child) {
    this.child = child
    this.port = new Promise((resolve) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        const object = JSON.parse(line)
        if ("port" in object) resolve(object.port)
        if (!("topic" in object)) return
        this.#frames.push(object)
        this.#passed()
      })
    })
  }

  /** The frames since the last call, once the message and its receipt are among them. */
  async exchange() {
    const isWhole = () => new Set(this.#frames.map(({ from }) => from)).size > 1
    while (!isWhole()) await new Promise((resolve) => (this.#passed = resolve))
    return this.#frames.splice(0)
  }

  /** Skips the frames so far. */
  skip() {
    this.#frames.length = 0
  }
}

/** Alice's profile and her broker, which listens on a free loopback port. */
async function open() {
  await all(start("alice", "init", "--name", "alice", "--no-passphrase", "--broker", "here", "--json"))
  const watch = new Watch(start("alice", "broker", "--loopback", "--port", "0", "--watch", "--json"))
  return { watch, port: await watch.port }
}

/** Alice shows a code, Bob types it; gives the results of both. */
async function pair() {
  const isPaired = ({ schema }) => schema === "mqttchat/paired/1"
  const alice = objects(start("alice", "pair", "--json", "--no-qr"))
  const { offer: carrier } = (await alice.next()).value
  const typed = performance.now()
  const [forBob] = (
    await all(start("bob", "pair", carrier, "--my-name", "bob", "--no-passphrase", "--json"))
  ).filter(isPaired)
  const { value: forAlice } = await alice.next()
  await alice.next()
  return { carrier, milliseconds: Math.round(performance.now() - typed), forAlice, forBob }
}

/** One message: typed by one process, read by another, with the frames that the broker saw between them. */
async function sendMessage({ from, to, text }, watch) {
  await all(start(from, "send", to, text, "--json"))
  const reader = start(to, "inbox", "--follow", "--json")
  const { value: message } = await objects(reader).next()
  const frames = await watch.exchange()
  await stop(reader)
  return { from, to, typed: text, read: message.text, frames }
}

async function demonstrate() {
  const { watch, port } = await open()
  console.log(`broker        mqtts://127.0.0.1:${port}, TLS 1.3, its certificate made just now`)
  const { carrier, milliseconds, forAlice, forBob } = await pair()
  console.log(`alice shows   mqttchat pair ${carrier}`)
  console.log(`bob types it  paired ${milliseconds} ms later, his keys and certificate made on the way`)
  console.log(`alice sees    bob says:  ${forAlice.words.join("  ")}`)
  console.log(`bob sees      alice says:  ${forBob.words.join("  ")}\n`)
  watch.skip()
  const exchanged = []
  for (const line of CONVERSATION) exchanged.push(await sendMessage(line, watch))
  await stop(watch.child)
  console.log(table(exchanged))
  console.log(verdict(exchanged))
}

/** @throws Error if a text arrived changed or the broker could read one. */
function verdict(exchanged) {
  const frames = exchanged.flatMap((line) => line.frames)
  const legible = frames.some(({ base64 }) =>
    exchanged.some(({ typed }) => Buffer.from(base64, "base64").includes(typed)),
  )
  if (legible) throw new Error("the broker saw a plain text")
  if (exchanged.some(({ typed, read }) => typed !== read)) throw new Error("a message arrived changed")
  const sizes = [...new Set(frames.map(({ bytes }) => bytes))].join(" or ")
  return `→ a message, ← its receipt. The broker saw ${frames.length} frames of ${sizes} bytes: no text,
no name, and nothing that tells a short message from a long one.\n`
}

/** Leaves the broker up and prints what to paste into two terminals, until Ctrl+C. */
async function interact() {
  const { port } = await open()
  await pair()
  const command = (user, peer) => `  MQTTCHAT_HOME=${join(home, user)} node ${PROGRAM} chat ${peer}`
  console.log(`The broker runs on 127.0.0.1:${port}, alice and bob are paired.
Paste these into two terminals, and type:

${command("alice", "bob")}
${command("bob", "alice")}

Ctrl+C here ends the broker and removes both profiles.`)
  await interrupted
}

const interactive = process.argv.includes("--interactive")
try {
  await Promise.race([interactive ? interact() : demonstrate(), failure.promise, interrupted])
  if (!interactive && endedBy === undefined) console.log(NEXT)
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  await Promise.all([...children].map(stop))
  rmSync(home, { recursive: true, force: true })
}
if (!interactive && endedBy !== undefined) process.exitCode = 128 + constants.signals[endedBy]
