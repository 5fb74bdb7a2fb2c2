import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { ROOT, install, run } from "./ready.mjs"

const PROGRAM = join(ROOT, "dist", "mqttchat.js")
const CONVERSATION = [
  { from: "alice", to: "bob", text: "did the pi come up?" },
  { from: "bob", to: "alice", text: "yes, the broker runs on it now" },
  { from: "alice", to: "bob", text: "good. dinner at eight: bring the key to the shed" },
]
/** As much of a frame as fits under its topic. */
const BASE64_SHOWN = 52

const home = mkdtempSync(join(tmpdir(), "mqttchat-demo-"))
const children = new Set()

/** Starts `mqttchat` as one of the two people; her standard error is shown only if she fails. */
function start(person, ...args) {
  const env = { ...process.env, MQTTCHAT_HOME: join(home, person), CI: "", NO_COLOR: "1" }
  const child = spawn(process.execPath, [PROGRAM, ...args], { env, stdio: ["ignore", "pipe", "pipe"] })
  children.add(child)
  child.speech = ""
  child.stderr.on("data", (chunk) => (child.speech += chunk))
  child.finished = once(child, "close").then(([status]) => {
    children.delete(child)
    if (status !== 0 && !child.stopped)
      throw new Error(`mqttchat ${args[0]} (${person}) ended with ${status}\n${child.speech}`)
  })
  // Awaited later, or by nobody when another step fails first.
  child.finished.catch((error) => (child.failure = error))
  return child
}

/** Every JSON object that a child prints, a line each. */
async function* objects(child) {
  for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line)
  await child.finished
}

async function rest(lines) {
  const found = []
  for await (const object of lines) found.push(object)
  return found
}

const all = (child) => rest(objects(child))
const isPaired = ({ schema }) => schema === "mqttchat/paired/1"

async function stop(child) {
  child.stopped = true
  child.kill("SIGTERM")
  await child.finished
}

async function startBroker(seen) {
  const child = start("alice", "broker", "--loopback", "--port", "0", "--watch", "--json")
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const object = JSON.parse(line)
      if ("topic" in object) seen.push(object)
      if ("port" in object) resolve({ child, port: object.port })
    })
    child.finished.then(() => reject(new Error(`the broker ended\n${child.speech}`)), reject)
  })
}

/** Alice shows a code, Bob types it; resolves with what both were told. */
async function pair() {
  const alice = start("alice", "pair", "--json", "--no-qr")
  const lines = objects(alice)
  const { carrier } = (await lines.next()).value
  const typed = performance.now()
  const forBob = (
    await all(start("bob", "pair", carrier, "--my-name", "bob", "--no-passphrase", "--json"))
  ).find(isPaired)
  const forAlice = (await rest(lines)).find(isPaired)
  await alice.finished
  return { carrier, milliseconds: performance.now() - typed, forAlice, forBob }
}

/** One message: typed by one process, read by another; between them whatever the broker saw. */
async function say({ from, to, text }, seen) {
  const before = seen.length
  await all(start(from, "send", to, text, "--json"))
  const read = await all(start(to, "inbox", "--json"))
  // The receipt goes out after the message was read; its sender need not be online for it.
  return {
    from,
    to,
    typed: text,
    read: read.map((message) => message.text).join(" / "),
    seen: seen.slice(before),
  }
}

function print({ from, to, typed, read, seen }) {
  console.log(`\n  ${from} typed      ${typed}`)
  for (const { topic, bytes, base64 } of seen) {
    console.log(`  broker saw   ${topic}`)
    console.log(`               ${base64.slice(0, BASE64_SHOWN)}…  ${bytes} bytes`)
  }
  console.log(`  ${to} read`.padEnd(15) + read)
}

async function demonstrate() {
  const seen = []
  await all(start("alice", "init", "--name", "alice", "--no-passphrase", "--broker", "here", "--json"))
  const { child: broker, port } = await startBroker(seen)
  console.log(`broker        mqtts://127.0.0.1:${port}, TLS 1.3, certificate made just now`)
  const { carrier, milliseconds, forAlice, forBob } = await pair()
  console.log(`alice's code  ${carrier}`)
  console.log(
    `paired        in ${Math.round(milliseconds)} ms; alice sees ${forAlice.words.join(" ")}, bob sees ${forBob.words.join(" ")}`,
  )
  const told = []
  for (const line of CONVERSATION) told.push(await say(line, seen))
  for (const line of told) print(line)
  const faithful = told.every(({ typed, read }) => typed === read)
  const secret = told.every((line) =>
    line.seen.every(({ base64 }) => !Buffer.from(base64, "base64").includes(line.typed)),
  )
  await stop(broker)
  if (!faithful || !secret)
    throw new Error(faithful ? "the broker saw a plain text" : "a message arrived changed")
}

const NEXT = `
What next
  on this laptop       npm link && mqttchat init && mqttchat broker --lan
  then, for a friend   mqttchat pair
  README.md            the same by hand, with a Mosquitto of your own
`

/** Leaves the broker up and says what to paste into two terminals, until Ctrl+C. */
async function interact() {
  await all(start("alice", "init", "--name", "alice", "--no-passphrase", "--broker", "here", "--json"))
  const { child: broker, port } = await startBroker([])
  await pair()
  const command = (person, peer) => `MQTTCHAT_HOME=${join(home, person)} node ${PROGRAM} chat ${peer}`
  console.log(`The broker runs on 127.0.0.1:${port}, alice and bob are paired. Paste into two terminals:\n`)
  console.log(
    `  ${command("alice", "bob")}\n  ${command("bob", "alice")}\n\nCtrl+C here ends the broker and removes both profiles.`,
  )
  await new Promise((resolve) => {
    process.once("SIGINT", resolve)
    process.once("SIGTERM", resolve)
  })
  await stop(broker)
}

install()
run(process.execPath, join(ROOT, "scripts", "build.mjs"))
try {
  if (process.argv.includes("--interactive")) await interact()
  else {
    await demonstrate()
    console.log(NEXT)
  }
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  await Promise.allSettled([...children].map(stop))
  rmSync(home, { recursive: true, force: true })
}
