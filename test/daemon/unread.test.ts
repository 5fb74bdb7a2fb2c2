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

const EVENT = { event: "notice", text: "x".repeat(MIB / 2) }

/** A listener, with half a MiB of events for each of `events` in one turn. */
async function listener(stream: Duplex): Promise<(events: number) => void> {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] })
  onTestFinished(() => void vi.useRealTimers())
  const { asked, emit } = service(() => Promise.resolve(null))
  new RpcConnection(asked, stream)
  stream.push(request(1, "listen"))
  await turn()
  return (events) => {
    for (let n = 0; n < events; n++) emit(EVENT)
  }
}

test("a listener that reads nothing of more than 8 MiB in two seconds is cut off, and not before", async () => {
  const stream = unreadingPeer()
  const emit = await listener(stream)
  emit(20)
  expect(stream.writableLength).toBeGreaterThan(EVENTS_MAX)
  vi.advanceTimersByTime(1_999)
  expect(stream.destroyed).toBe(false)
  vi.advanceTimersByTime(1)
  expect(stream.destroyed).toBe(true)
})

test("a listener that reads is not cut off, however much comes in one turn", async () => {
  const unread: (() => void)[] = []
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => unread.push(done) })
  onTestFinished(() => void stream.destroy())
  const emit = await listener(stream)
  emit(60)
  for (let seconds = 0; seconds < 60; seconds++) {
    unread.shift()?.()
    await turn()
    vi.advanceTimersByTime(1_000)
    expect(stream.destroyed).toBe(false)
  }
})

test("a listener that reads too slowly costs no more memory than 64 MiB", async () => {
  const stream = unreadingPeer()
  const emit = await listener(stream)
  emit(140)
  expect(stream.writableLength).toBeLessThan(65 * MIB)
  expect(stream.destroyed).toBe(true)
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
