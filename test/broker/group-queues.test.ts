import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { QUEUE_MAX_BYTES, Queues } from "../../src/broker/queues/queues.ts"
import type { JournalRecord } from "../../src/broker/queues/journal-record.ts"
import {
  connect,
  type BrokerFixture,
  type Device,
  newBrokerFixture,
  newId,
  optionsFor,
  portOf,
} from "./broker-fixture.ts"

const WINDOW = 4
const epoch = `mc/1/g/${newId()}`

describe("the queues of a group's readers", () => {
  const [alice, bob, carol] = [newId(), newId(), newId()]
  let queues: Queues

  beforeEach(() => {
    queues = new Queues("registrar")
    for (const session of [alice, bob, carol]) reads(session)
  })

  function reads(session: string, qos = 1): void {
    queues.apply({ kind: "subscribed", session, filter: epoch, qos })
  }
  /** One frame for all of them. */
  function publish(payload: Uint8Array, sessions: readonly string[] = queues.recipientsOf(epoch)): number {
    const sequence = queues.nextSequence()
    const [first, ...others] = sessions
    queues.apply({ kind: "queued", session: first!, sequence, at: 0, topic: epoch, payload })
    for (const session of others) queues.apply({ kind: "also-queued", session, sequence })
    return sequence
  }
  const settle = (session: string, sequence: number) => queues.apply({ kind: "settled", session, sequence })
  const restored = (records: readonly JournalRecord[]) => {
    const again = new Queues("registrar")
    for (const record of records) again.apply(record)
    return again
  }

  test("hold for those who subscribed with QoS 1, until they end it", () => {
    expect(queues.recipientsOf(epoch)).toEqual([alice, bob, carol])
    reads(bob, 0)
    queues.apply({ kind: "unsubscribed", session: carol, filter: epoch })
    expect(queues.recipientsOf(epoch)).toEqual([alice])
    expect([alice, bob, carol].map((session) => queues.isRecipient(session, epoch))).toEqual([
      true,
      false,
      false,
    ])
    queues.apply({ kind: "forgotten", session: alice })
    expect(queues.recipientsOf(epoch)).toEqual([])
  })

  test("share one payload, which is gone when the last has taken it or is forgotten", () => {
    const sequence = publish(new Uint8Array(1000))
    expect(queues.stats()).toMatchObject({ frames: 3, bytes: 1000 })
    for (const session of [alice, bob, carol])
      expect(queues.take(session, WINDOW)?.frame.sequence).toBe(sequence)
    settle(alice, sequence)
    settle(alice, sequence)
    queues.apply({ kind: "forgotten", session: bob })
    expect(queues.stats()).toMatchObject({ frames: 1, bytes: 1000 })
    settle(carol, sequence)
    expect(queues.stats()).toMatchObject({ frames: 0, bytes: 0 })
  })

  test("are counted for each device: one that takes nothing fills its own only", () => {
    while (queues.hasRoom(bob, 1024 * 1024)) {
      const sequence = publish(new Uint8Array(1024 * 1024))
      settle(alice, sequence)
      settle(carol, sequence)
    }
    expect(queues.stats().bytes).toBe(QUEUE_MAX_BYTES)
    expect([alice, bob, carol].map((session) => queues.hasRoom(session, 1024 * 1024))).toEqual([
      true,
      false,
      true,
    ])
  })

  test("come from a snapshot as they were, with each payload once, at any point", () => {
    const sequences = [1, 2, 3].map((byte) => publish(new Uint8Array(100).fill(byte)))
    queues.take(bob, WINDOW)
    settle(alice, sequences[0]!)
    const snapshot = [...queues.snapshot()]
    expect(snapshot.filter(({ kind }) => kind === "queued")).toHaveLength(3)
    expect(snapshot.filter(({ kind }) => kind === "also-queued")).toHaveLength(5)
    const again = restored(snapshot)
    expect([...again.snapshot()]).toEqual(snapshot)
    expect(again.stats()).toEqual(queues.stats())
    expect(again.take(bob, WINDOW)?.frame.payload).toEqual(new Uint8Array(100).fill(1))
  })

  test("survive a journal that says everything twice, or ends in the middle of a message", () => {
    const sequence = publish(new Uint8Array(10))
    const snapshot = [...queues.snapshot()]
    expect(restored([...snapshot, ...snapshot]).stats()).toEqual(queues.stats())
    const torn = restored(snapshot.slice(0, -1))
    expect(torn.stats()).toMatchObject({ frames: 2, bytes: 10 })
    for (const session of [alice, bob, carol]) torn.apply({ kind: "settled", session, sequence })
    torn.apply({ kind: "also-queued", session: carol, sequence })
    expect(torn.stats()).toMatchObject({ frames: 0, bytes: 0 })
  })
})

describe("a group's messages at a real broker", () => {
  let fixture: BrokerFixture
  let devices: Device[]

  beforeEach(async () => {
    fixture = await newBrokerFixture()
    devices = await Promise.all(Array.from({ length: 3 }, () => fixture.device()))
  })
  afterEach(() => fixture.end())

  const at = (port: number, device: Device) => connect(optionsFor(fixture, port, device))

  test("wait for members who are away, survive kill -9, and come once each, in order", async () => {
    const [alice, bob, carol] = devices as [Device, Device, Device]
    const first = await fixture.spawn(0)
    for (const member of [bob, carol]) {
      const connection = await at(first.port, member)
      await connection.client.subscribeAsync(epoch, { qos: 1 })
      await connection.client.endAsync()
    }
    const speaking = await at(first.port, alice)
    const texts = Array.from({ length: 50 }, (_, n) => `text ${n}`)
    for (const text of texts) await speaking.client.publishAsync(epoch, text, { qos: 1 })
    await first.end("SIGKILL")
    await speaking.client.endAsync(true)
    const second = await fixture.spawn(first.port)
    for (const member of [bob, carol]) {
      const connection = await at(second.port, member)
      expect(await connection.waitFor(50)).toEqual(texts.map((text) => `${epoch} ${text}`))
      await connection.client.endAsync()
    }
  })

  test("reach members who are there once each, and leave nothing behind", async () => {
    const broker = await fixture.start()
    const connections = await Promise.all(devices.map((device) => at(portOf(broker), device)))
    for (const { client } of connections) await client.subscribeAsync(epoch, { qos: 1 })
    const [speaking] = connections
    for (let n = 0; n < 20; n += 1) await speaking!.client.publishAsync(epoch, `text ${n}`, { qos: 1 })
    for (const connection of connections) {
      await connection.waitFor(20)
      await connection.client.unsubscribeAsync("mc/1/p/1")
      expect(connection.received).toEqual(Array.from({ length: 20 }, (_, n) => `${epoch} text ${n}`))
    }
    expect(broker.stats().queued).toMatchObject({ frames: 0, bytes: 0 })
    await Promise.all(connections.map(({ client }) => client.endAsync()))
  })

  test("are for those who know the topic: no wildcard over groups is granted", async () => {
    const [, , mallory] = devices as [Device, Device, Device]
    const broker = await fixture.start()
    const watching = await at(portOf(broker), mallory)
    for (const filter of ["mc/1/g/+", "mc/1/g/#", "mc/1/+/+", "#"]) {
      const granted = await watching.client.subscribeAsync(filter, { qos: 1 }).catch(() => [{ qos: 128 }])
      expect(granted[0]?.qos, filter).toBe(128)
    }
    await watching.client.endAsync()
  })
})
