import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { expect, test } from "vitest"
import { takeLock } from "../../src/fs/lock-file.ts"
import { actorFile } from "../actors.ts"

const HELD_BY_US = { kind: "held", pid: process.pid }

function freshPath(): string {
  return join(mkdtempSync(join(tmpdir(), "mqttchat-lock-")), "alice", "owner.lock")
}

function spawnActor(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [actorFile("lock"), ...args], {
    stdio: ["ignore", "ignore", "inherit"],
  })
}

async function exitOf(child: ChildProcess): Promise<unknown[]> {
  return once(child, "exit")
}

function take(path: string): () => void {
  const lock = takeLock(path)
  if (lock.kind === "held") throw new Error(`held by ${lock.pid}`)
  return lock.release
}

test("one process has the lock until it releases it, and nothing is left behind", () => {
  const path = freshPath()
  const release = take(path)
  expect(takeLock(path)).toEqual(HELD_BY_US)
  expect(readFileSync(path, "latin1").startsWith(`${process.pid}\n`)).toBe(true)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  release()
  expect(readdirSync(dirname(path))).toEqual([])
  const again = take(path)
  release()
  expect(takeLock(path)).toEqual(HELD_BY_US)
  again()
})

test("the lock of a killed process is free", async () => {
  const path = freshPath()
  const [, signal] = await exitOf(spawnActor(path, `${path}.oven`, "1", "die"))
  expect(signal).toBe("SIGKILL")
  expect(readdirSync(dirname(path))).toEqual(["owner.lock"])
  const release = take(path)
  expect(readdirSync(dirname(path))).toEqual(["owner.lock"])
  release()
})

test("a process id that another process has by now proves nothing", () => {
  const path = freshPath()
  take(path)
  const [pid = "", started = "", nonce = ""] = readFileSync(path, "latin1").split("\n")
  expect(started).not.toBe("")
  writeFileSync(path, [pid, `${started}0`, nonce, ""].join("\n"))
  take(path)()
})

test("the lock is free when a process died while it took over the lock of a dead one", async () => {
  const path = freshPath()
  await exitOf(spawnActor(path, `${path}.oven`, "1", "die"))
  const first = readFileSync(path, "latin1")
  const nonce = (text: string): string => text.split("\n")[2] ?? ""
  const successor = first.replace(nonce(first), "b".repeat(32))
  writeFileSync(`${path}.${nonce(first)}.heir`, successor)
  const release = take(path)
  expect(readdirSync(dirname(path))).toEqual(["owner.lock"])
  expect(readFileSync(path, "latin1").startsWith(`${process.pid}\n`)).toBe(true)
  release()
})

test("the lock is held while a live process takes it over", async () => {
  const path = freshPath()
  await exitOf(spawnActor(path, `${path}.oven`, "1", "die"))
  const dead = readFileSync(path, "latin1")
  const release = take(path)
  const ours = readFileSync(path, "latin1")
  release()
  writeFileSync(path, dead)
  writeFileSync(`${path}.${dead.split("\n")[2] ?? ""}.heir`, ours)
  expect(takeLock(path)).toEqual(HELD_BY_US)
})

test.each([
  "",
  "12",
  "-1\nx\n",
  "garbage\0garbage",
  `0\n\n${"a".repeat(32)}\n`,
  `99999999999\n\n${"a".repeat(32)}\n`,
])("a lock file that holds %j, as after a power cut, is free", (content) => {
  const path = freshPath()
  take(path)()
  writeFileSync(path, content)
  take(path)()
  expect(readdirSync(dirname(path))).toEqual([])
})

test("of many racing processes, some of them killed, never two have the lock", async () => {
  const path = freshPath()
  take(path)()
  const racers = Array.from({ length: 6 }, (_, index) =>
    spawnActor(path, `${path}.oven`, "200", index % 2 ? "die" : ""),
  )
  const exits = await Promise.all(racers.map(exitOf))
  for (const [index, exit] of exits.entries()) {
    expect(
      index % 2
        ? [
            [null, "SIGKILL"],
            [0, null],
          ]
        : [[0, null]],
    ).toContainEqual(exit)
  }
  expect(exits.some(([, signal]) => signal === "SIGKILL")).toBe(true)
  take(path)()
  expect(readdirSync(dirname(path)).filter((name) => !name.endsWith(".lock"))).toEqual([])
})
