import { Duplex } from "node:stream"
import * as v from "valibot"
import { expect, onTestFinished, test, vi } from "vitest"
import { RpcConnection, type Service } from "../../src/daemon/connection.ts"

const MIB = 1024 * 1024
/** What a listener may leave unread, and what of answers. */
const EVENTS_MAX = 8 * MIB
const ANSWERS_MAX = MIB
const PENDING_MAX = 64

/** A peer that sends and reads nothing: whatever is written to it waits. */
function unreadingPeer(): Duplex {
  const stream = new Duplex({ read: () => undefined, write: () => undefined })
  onTestFinished(() => void stream.destroy())
  return stream
}

function request(id: number, method: string): string {
  return `${JSON.stringify({ jsonrpc: "2.0", id, method, params: {} })}\n`
}

const turn = () => new Promise(setImmediate)

/** A service with one command, and the way to emit its listeners something. */
function service(call: () => Promise<unknown>) {
  let emit: (event: unknown) => void = () => undefined
  const asked: Service = {
    commands: { work: { params: v.object({}) }, listen: { params: v.object({}) } },
    call,
    listen: (onEvent) => {
      emit = onEvent
      return () => (emit = () => undefined)
    },
  }
  return { asked, emit: (event: unknown) => emit(event) }
}

test("a listener that reads nothing is cut off when 8 MiB wait for it, and not before", async () => {
  const { asked, emit } = service(() => Promise.resolve(null))
  const stream = unreadingPeer()
  const connection = new RpcConnection(asked, stream)
  stream.push(request(1, "listen"))
  await turn()
  const event = { event: "notice", text: "x".repeat(MIB / 2) }
  for (let events = 0; events < 100 && stream.writableLength <= EVENTS_MAX; events++) {
    expect(stream.destroyed).toBe(false)
    emit(event)
  }
  expect(stream.writableLength).toBeGreaterThan(EVENTS_MAX)
  expect(stream.writableLength).toBeLessThan(EVENTS_MAX + MIB)
  emit(event)
  expect(stream.destroyed).toBe(true)
  await connection.closed
})

test("of a caller that asks and reads nothing no more is answered when 1 MiB waits for it", async () => {
  let calls = 0
  const { asked } = service(() => {
    calls++
    return Promise.resolve("x".repeat(ANSWERS_MAX / 8))
  })
  const stream = unreadingPeer()
  new RpcConnection(asked, stream)
  for (let id = 0; id < 100; id++) {
    stream.push(request(id, "work"))
    for (let n = 0; n < 5; n++) await turn()
  }
  expect(calls).toBe(8)
  expect(stream.destroyed).toBe(false)
})

test("of a caller's questions 64 are open at once, and the next when one is answered", async () => {
  let calls = 0
  let answer: (() => void) | undefined
  const { asked } = service(() => {
    calls++
    return new Promise<unknown>((resolve) => (answer = () => resolve(null)))
  })
  const stream = unreadingPeer()
  new RpcConnection(asked, stream)
  for (let id = 0; id < PENDING_MAX + 10; id++) stream.push(request(id, "work"))
  for (let n = 0; n < 10; n++) await turn()
  expect(calls).toBe(PENDING_MAX)
  answer?.()
  for (let n = 0; n < 10; n++) await turn()
  expect(calls).toBe(PENDING_MAX + 1)
})

test("an owner that ends waits two seconds for a caller that reads nothing", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
  onTestFinished(() => void vi.useRealTimers())
  const { asked } = service(() => Promise.resolve(null))
  const stream = unreadingPeer()
  const connection = new RpcConnection(asked, stream)
  stream.push(request(1, "work"))
  await turn()
  void connection.finish()
  await turn()
  vi.advanceTimersByTime(1_999)
  await turn()
  expect(stream.destroyed).toBe(false)
  vi.advanceTimersByTime(1)
  expect(stream.destroyed).toBe(true)
  await connection.closed
})
