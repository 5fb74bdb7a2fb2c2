import { expect, test } from "vitest"
import { HandshakeQueue } from "../../src/broker/connection/handshake-queue.ts"

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test("one handshake starts in a turn, and each address has its turn", async () => {
  const queue = new HandshakeQueue()
  const started: string[] = []
  for (const name of ["mallory 1", "mallory 2", "mallory 3", "alice 1", "mallory 4", "bob 1"])
    queue.add(name.slice(0, -2), () => started.push(name))
  expect(started).toEqual([])
  const counts: number[] = []
  while (started.length < 6) {
    await nextTurn()
    counts.push(started.length)
  }
  expect(counts).toEqual([1, 2, 3, 4, 5, 6])
  expect(started).toEqual(["mallory 1", "alice 1", "bob 1", "mallory 2", "mallory 3", "mallory 4"])
})

test("a queue that was empty starts again", async () => {
  const queue = new HandshakeQueue()
  let started = 0
  for (let n = 1; n <= 3; n++) {
    queue.add("alice", () => (started += 1))
    await nextTurn()
    expect(started).toBe(n)
  }
})
