import { type ChildProcess, spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { createInterface } from "node:readline"
import { expect, test } from "vitest"
import { openStore } from "../../src/store/store.ts"
import { actorFile } from "../actors.ts"
import { direct, freshPath } from "./store-fixture.ts"
import type { LoadedState } from "../../src/store/message-store.ts"
import type { MessageRecord } from "../../src/store/message-records.ts"

const ROUNDS = 4
const ALL = 10_000

type Writer = { child: ChildProcess; acknowledged: AsyncIterator<string> }

/** Commits in a separate process, whose files may grow to `limitKiB`. */
function writer(path: string, key: Uint8Array, limitKiB: number | "unlimited" = "unlimited"): Writer {
  const command = `ulimit -f ${limitKiB} && exec "$0" "$@"`
  const args = [actorFile("store"), path, Buffer.from(key).toString("hex")]
  const child = spawn("bash", ["-c", command, process.execPath, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  return { child, acknowledged: createInterface({ input: child.stdout })[Symbol.asyncIterator]() }
}

async function reopened(
  path: string,
  key: Uint8Array,
): Promise<{ loaded: LoadedState; messages: readonly MessageRecord[] }> {
  const store = await openStore(path, key)
  const found = { loaded: await store.load(), messages: await store.history(direct(1), { limit: ALL }) }
  await store.close()
  return found
}

/** Messages, frames and search index agree, without a gap. */
function expectWhole({ loaded, messages }: Awaited<ReturnType<typeof reopened>>): void {
  const numbers = messages.map((_, index) => index + 1)
  expect(messages.map((entry) => entry.text)).toEqual(numbers.map((number) => `message number ${number}`))
  expect(loaded.outgoing.map((frame) => frame.seq)).toEqual(numbers)
}

test("kill -9 at any moment loses no acknowledged commit and leaves none half done", async () => {
  const path = freshPath()
  const key = randomBytes(32)
  let before = 0
  for (let round = 0; round < ROUNDS; round++) {
    const { child, acknowledged } = writer(path, key)
    const enough = before + 10 + round * 17
    let last = 0
    while (last < enough) last = Number((await acknowledged.next()).value)
    child.kill("SIGKILL")
    for (let line = await acknowledged.next(); line.done !== true; line = await acknowledged.next()) {
      last = Number(line.value)
    }
    const found = await reopened(path, key)
    expectWhole(found)
    expect(found.messages.length).toBeGreaterThanOrEqual(last)
    before = found.messages.length
  }
})

test("a full disk is reported, and acknowledged commits are there when it opens again", async () => {
  const path = freshPath()
  const key = randomBytes(32)
  const { acknowledged } = writer(path, key, 400)
  const lines: string[] = []
  for (let line = await acknowledged.next(); line.done !== true; line = await acknowledged.next()) {
    lines.push(line.value)
  }
  expect(lines.pop()).toBe("disk-full")
  expect(lines.length).toBeGreaterThan(3)
  const found = await reopened(path, key)
  expectWhole(found)
  expect(found.messages.length).toBe(lines.length)
})
