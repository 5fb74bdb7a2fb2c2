import { expect, test } from "vitest"
import { HandshakeQueue } from "../../src/broker/connection/handshake-queue.ts"

/** Pauses end when the test says so. */
function newQueue(): { queue: HandshakeQueue; endPause: () => boolean } {
  const pauses: (() => void)[] = []
  const queue = new HandshakeQueue((run) => pauses.push(run))
  const endPause = (): boolean => {
    const run = pauses.shift()
    run?.()
    return run !== undefined
  }
  return { queue, endPause }
}

test("one handshake starts after each pause, and each address has its turn", () => {
  const { queue, endPause } = newQueue()
  const started: string[] = []
  for (const name of ["mallory 1", "mallory 2", "mallory 3", "alice 1", "mallory 4", "bob 1"])
    queue.add(name.slice(0, -2), () => started.push(name))
  const counts = [started.length]
  while (endPause()) counts.push(started.length)
  expect(counts).toEqual([1, 2, 3, 4, 5, 6, 6])
  expect(started).toEqual(["mallory 1", "mallory 2", "alice 1", "bob 1", "mallory 3", "mallory 4"])
})

test("where nothing waits a handshake starts at once, but not before the pause of the last one is over", () => {
  const { queue, endPause } = newQueue()
  let started = 0
  const add = (): void => queue.add("alice", () => (started += 1))
  add()
  expect(started).toBe(1)
  expect([endPause(), endPause()]).toEqual([true, false])
  add()
  add()
  expect(started).toBe(2)
  expect(endPause()).toBe(true)
  expect(started).toBe(3)
})
