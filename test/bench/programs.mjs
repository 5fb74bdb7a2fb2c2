import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { connect as connectSocket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"

const PROGRAM = join(import.meta.dirname, "../../dist/mqttchat.cjs")

/** Whole programs of people with a folder of their own each, which `end` stops and removes. */
export function openPrograms() {
  const home = mkdtempSync(join(tmpdir(), "mqttchat-bench-"))
  const children = []
  const environment = (user) => ({ ...process.env, MQTTCHAT_HOME: join(home, user) })

  /** Runs Node to its end, and gives what it printed. */
  function run(user, ...args) {
    const options = { env: environment(user), encoding: "utf8" }
    const { status, stdout, stderr } = spawnSync(process.execPath, args, options)
    if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`)
    return stdout
  }
  const mqttchat = (user, ...args) => run(user, PROGRAM, ...args)

  /** Starts a command that keeps running; also gives the first JSON object it prints that has `key`. */
  async function start(user, key, args, nodeFlags = []) {
    const options = {
      env: environment(user),
      stdio: ["ignore", "pipe", nodeFlags.length > 0 ? "pipe" : "inherit"],
    }
    const child = spawn(process.execPath, [...nodeFlags, PROGRAM, ...args, "--json"], options)
    children.push(child)
    for await (const line of createInterface({ input: child.stdout })) {
      const object = JSON.parse(line)
      if (key in object) return { child, object }
    }
    throw new Error(`${args.join(" ")} ended early`)
  }

  /** Alice invites a new person, and both compare their words: who was never verified may send only so much. */
  async function pair(name) {
    const { child, object } = await start("alice", "offer", ["pair"])
    const both = once(child, "close")
    mqttchat(name, "pair", object.offer, "--my-name", name, "--no-passphrase")
    await both
    mqttchat(name, "verify", "alice", "--yes")
    mqttchat("alice", "verify", name, "--yes")
  }

  async function end() {
    for (const child of children) child.kill("SIGTERM")
    await Promise.all(children.map((child) => child.exitCode ?? once(child, "close")))
    rmSync(home, { recursive: true, force: true })
  }

  const fileOf = (user, name) => join(home, user, "default", name)
  return { run, mqttchat, start, pair, end, fileOf }
}

/** A connection to a daemon. */
export function caller(path) {
  const socket = connectSocket(path)
  const waiting = new Map()
  let requests = 0
  let onEvent = () => undefined
  createInterface({ input: socket }).on("line", (line) => {
    const { id, result, error, params } = JSON.parse(line)
    if (params !== undefined) return onEvent(params)
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) resolve(result)
    else reject(new Error(JSON.stringify(error)))
  })
  return {
    ask: (method, params = {}) =>
      new Promise((resolve, reject) => {
        const id = requests++
        waiting.set(id, { resolve, reject })
        socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`)
      }),
    listen: (listener) => (onEvent = listener),
    end: () => socket.destroy(),
  }
}
