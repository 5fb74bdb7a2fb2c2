import { beforeEach, describe, expect, test } from "vitest"
import {
  ALL_QUEUES_MAX_BYTES,
  Queues,
  QUEUE_MAX_BYTES,
  QUEUE_MAX_FRAMES,
  SHARE_MAX_BYTES,
} from "../../src/broker/queues/queues.ts"
import { newId } from "./broker-fixture.ts"

const WINDOW = 4

describe("the queues of the broker", () => {
  const bob = newId()
  const toBob = `mc/1/i/${bob}/${newId()}`
  let queues: Queues

  beforeEach(() => {
    queues = new Queues("registrar")
    queues.apply({ kind: "subscribed", session: bob, filter: `mc/1/i/${bob}/+`, qos: 1 })
  })

  function put(count: number, bytes = 1, session = bob): void {
    for (let i = 0; i < count; i++) {
      const sequence = queues.nextSequence()
      const payload = new Uint8Array(bytes)
      queues.apply({ kind: "queued", session, sequence, at: 0, topic: toBob, payload })
    }
  }

  function takeAll(): number[] {
    const taken: number[] = []
    for (let next = queues.take(bob, WINDOW); next !== undefined; next = queues.take(bob, WINDOW)) {
      taken.push(next.frame.sequence)
    }
    return taken
  }

  test("a queue that fills half of the total space leaves each of the others a share", () => {
    const greedy = Array.from({ length: 8 }, newId)
    for (const session of greedy) {
      queues.apply({ kind: "subscribed", session, filter: `mc/1/i/${session}/+`, qos: 1 })
      while (queues.hasRoom(session, SHARE_MAX_BYTES)) put(1, SHARE_MAX_BYTES, session)
    }
    expect(queues.stats().bytes).toBeLessThan(ALL_QUEUES_MAX_BYTES / 2 + 8 * SHARE_MAX_BYTES)
    expect(queues.hasRoom(bob, SHARE_MAX_BYTES)).toBe(true)
    put(1, SHARE_MAX_BYTES)
    expect(queues.hasRoom(bob, 1)).toBe(false)
  })

  test("a topic has one recipient, if it subscribed with QoS 1", () => {
    const [stranger, registration] = [newId(), newId()]
    expect(queues.recipientOf(toBob)).toBe(bob)
    expect(queues.recipientOf(`mc/1/i/${stranger}/${newId()}`)).toBeUndefined()
    expect(queues.recipientOf("mc/1/p/7")).toBeUndefined()
    expect(queues.recipientOf(`mc/1/reg/q/${registration}`)).toBeUndefined()
    queues.apply({ kind: "subscribed", session: "registrar", filter: "mc/1/reg/q/+", qos: 1 })
    expect(queues.recipientOf(`mc/1/reg/q/${registration}`)).toBe("registrar")
    queues.apply({ kind: "subscribed", session: bob, filter: toBob, qos: 0 })
    expect(queues.recipientOf(toBob)).toBeUndefined()
    queues.apply({ kind: "unsubscribed", session: bob, filter: toBob })
    expect(queues.recipientOf(toBob)).toBe(bob)
    queues.apply({ kind: "forgotten", session: bob })
    expect(queues.recipientOf(toBob)).toBeUndefined()
  })

  test("no more than a window is sent, and each acknowledgement releases one more", () => {
    put(6)
    expect(takeAll()).toEqual([1, 2, 3, 4])
    queues.setMessageId(bob, 2, 77)
    expect(queues.sequenceOf(bob, 77)).toBe(2)
    expect(queues.sequenceOf(bob, 78)).toBeUndefined()
    queues.apply({ kind: "settled", session: bob, sequence: 2 })
    expect(takeAll()).toEqual([5])
  })

  test("a new connection gets what was not acknowledged first, marked as a repeat", () => {
    put(6)
    takeAll()
    queues.apply({ kind: "settled", session: bob, sequence: 3 })
    queues.restart(bob)
    expect(queues.take(bob, WINDOW)).toMatchObject({ frame: { sequence: 1 }, dup: true })
    expect(takeAll()).toEqual([2, 4, 5])
    queues.restart(bob)
    put(1)
    expect(takeAll()).toEqual([1, 2, 4, 5])
    for (const sequence of [1, 2, 4, 5]) queues.apply({ kind: "settled", session: bob, sequence })
    expect(queues.take(bob, WINDOW)).toMatchObject({ frame: { sequence: 6 }, dup: false })
  })

  test("a snapshot restores the same queues, at any point of a connection", () => {
    put(6)
    takeAll()
    queues.apply({ kind: "settled", session: bob, sequence: 1 })
    const snapshot = [...queues.snapshot()]
    queues = new Queues("registrar")
    for (const record of snapshot) queues.apply(record)
    expect([...queues.snapshot()]).toEqual(snapshot)
    expect(takeAll()).toEqual([2, 3, 4, 5])
    expect(queues.nextSequence()).toBe(7)
  })

  test("frames per queue are limited; the next is counted as dropped", () => {
    put(QUEUE_MAX_FRAMES - 1)
    expect(queues.hasRoom(bob, 1)).toBe(true)
    put(1)
    expect(queues.hasRoom(bob, 1)).toBe(false)
    expect(queues.stats()).toMatchObject({ frames: QUEUE_MAX_FRAMES, dropped: 1 })
    queues.apply({ kind: "settled", session: bob, sequence: 1 })
    expect(queues.hasRoom(bob, 1)).toBe(true)
  })

  test("bytes per queue are limited, and so is the total", () => {
    put(1, QUEUE_MAX_BYTES - 1)
    expect(queues.hasRoom(bob, 1)).toBe(true)
    expect(queues.hasRoom(bob, 2)).toBe(false)
    const others = Array.from({ length: ALL_QUEUES_MAX_BYTES / QUEUE_MAX_BYTES - 1 }, newId)
    for (const other of [...others, "one more"]) {
      queues.apply({ kind: "subscribed", session: other, filter: `mc/1/i/${other}/+`, qos: 1 })
    }
    for (const other of others) put(1, QUEUE_MAX_BYTES, other)
    expect(queues.hasRoom("one more", 1)).toBe(true)
    expect(queues.hasRoom("one more", 2)).toBe(false)
    queues.apply({ kind: "forgotten", session: others[0] ?? "" })
    expect(queues.hasRoom("one more", 2)).toBe(true)
  })

  test("what the device has taken makes room for as many bytes", () => {
    put(2, QUEUE_MAX_BYTES / 2)
    expect(queues.hasRoom(bob, 1)).toBe(false)
    queues.apply({ kind: "settled", session: bob, sequence: 1 })
    expect(queues.hasRoom(bob, QUEUE_MAX_BYTES / 2)).toBe(true)
    expect(queues.hasRoom(bob, QUEUE_MAX_BYTES / 2 + 1)).toBe(false)
  })

  describe("when the device stays offline", () => {
    const LIFE = { isOnline: () => false, messageExpiryMs: 30, sessionExpiryMs: 90 }

    function sweep(now: number, isOnline: (session: string) => boolean = LIFE.isOnline): void {
      for (const record of [...queues.due(now, { ...LIFE, isOnline })]) queues.apply(record)
    }

    test("frames that have waited too long are dropped, the younger ones behind them stay", () => {
      for (const [sequence, at] of [
        [1, 0],
        [2, 10],
        [3, 20],
      ] as const) {
        queues.apply({ kind: "queued", session: bob, sequence, at, topic: toBob, payload: new Uint8Array(5) })
      }
      sweep(40)
      expect(queues.stats()).toMatchObject({ frames: 2, bytes: 10 })
      sweep(41)
      expect(takeAll()).toEqual([3])
    })

    test("a session is forgotten when its device has been offline for too long, counted from when it was last seen", () => {
      sweep(1_000)
      sweep(1_090)
      expect(queues.stats()).toMatchObject({ sessions: 1 })
      queues.apply({ kind: "seen", session: bob, at: 1_090 })
      sweep(1_180)
      expect(queues.recipientOf(toBob)).toBe(bob)
      sweep(1_181)
      expect(queues.recipientOf(toBob)).toBeUndefined()
      expect(queues.stats()).toMatchObject({ sessions: 0, frames: 0, bytes: 0 })
    })

    test("a connected device never expires, and the time it was last seen survives a restart", () => {
      sweep(1_000)
      sweep(9_000, () => true)
      const snapshot = [...queues.snapshot()]
      queues = new Queues("registrar")
      for (const record of snapshot) queues.apply(record)
      sweep(9_090)
      expect(queues.stats()).toMatchObject({ sessions: 1 })
      sweep(9_091)
      expect(queues.stats()).toMatchObject({ sessions: 0 })
    })
  })
})
