import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { openJournal } from "../../src/broker/queues/journal.ts"
import { QUEUE_MAX_FRAMES, Queues } from "../../src/broker/queues/queues.ts"
import {
  connect,
  type Device,
  newId,
  newBrokerFixture,
  optionsFor,
  portOf,
  type BrokerFixture,
} from "./broker-fixture.ts"

const DAY = 24 * 60 * 60 * 1000

describe("messages for a device that is offline", () => {
  let fixture: BrokerFixture
  let alice: Device
  let bob: Device
  let toBob: string

  beforeEach(async () => {
    fixture = await newBrokerFixture()
    alice = await fixture.device()
    bob = await fixture.device()
    toBob = `mc/1/i/${bob.id}/${newId()}`
  })
  afterEach(() => fixture.end())

  async function bobSubscribesAndLeaves(port: number): Promise<void> {
    const atBob = await connect(optionsFor(fixture, port, bob))
    await atBob.client.subscribeAsync(`mc/1/i/${bob.id}/+`, { qos: 1 })
    await atBob.client.endAsync()
  }

  async function aliceSends(port: number, texts: readonly string[]): Promise<void> {
    const atAlice = await connect(optionsFor(fixture, port, alice))
    for (const text of texts) await atAlice.client.publishAsync(toBob, text, { qos: 1 })
    await atAlice.client.endAsync()
  }

  async function bobReceives(port: number, last: string): Promise<string[]> {
    const atBob = await connect(optionsFor(fixture, port, bob))
    while (!atBob.received.includes(`${toBob} ${last}`)) await atBob.waitFor(atBob.received.length + 1)
    await atBob.client.endAsync()
    return atBob.received.map((line) => line.slice(toBob.length + 1))
  }

  function numbered(from: number, to: number): string[] {
    return Array.from({ length: to - from }, (_, i) => `message ${String(from + i)}`)
  }

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`survive ${signal} of the broker, in order`, async () => {
      const first = await fixture.spawn(0)
      await bobSubscribesAndLeaves(first.port)
      await aliceSends(first.port, numbered(0, 200))
      await first.end(signal)
      const second = await fixture.spawn(first.port)
      await aliceSends(second.port, numbered(200, 250))
      expect(await bobReceives(second.port, "message 249")).toEqual(numbered(0, 250))
      await second.end(signal)
      const third = await fixture.spawn(first.port)
      await aliceSends(third.port, ["the last"])
      // Acknowledgements in flight when the broker ended are lost: only those messages come again.
      const again = (await bobReceives(third.port, "the last")).slice(0, -1)
      expect(again).toEqual(numbered(250 - again.length, 250))
    })
  }

  test("that were acknowledged are delivered after kill -9 at any moment under full load", async () => {
    let port = 0
    const acknowledged = new Set<string>()
    for (let round = 0; round < 4; round++) {
      const running = await fixture.spawn(port)
      port = running.port
      if (round === 0) await bobSubscribesAndLeaves(port)
      const atAlice = await connect(optionsFor(fixture, port, alice))
      const target = acknowledged.size + 300
      const lanes = Array.from({ length: 10 }, async (_, lane) => {
        for (let n = 0; !atAlice.client.disconnected; n++) {
          const text = `${String(round)} ${String(lane)} ${String(n)}`
          await atAlice.client.publishAsync(toBob, text, { qos: 1 })
          acknowledged.add(text)
          if (acknowledged.size === target) await running.end("SIGKILL")
        }
      })
      await Promise.race([Promise.allSettled(lanes), atAlice.closed])
      await atAlice.client.endAsync(true)
    }
    const last = await fixture.spawn(port)
    await aliceSends(last.port, ["the end"])
    const received = await bobReceives(last.port, "the end")
    expect([...acknowledged].filter((text) => !received.includes(text))).toEqual([])
    expect(new Set(received).size).toBe(received.length)
    expect(acknowledged.size).toBeGreaterThanOrEqual(1_200)
  })

  test("do not hold up their senders while the device is connected and does not read", async () => {
    const broker = await fixture.start()
    const frozen = await connect(optionsFor(fixture, portOf(broker), bob))
    await frozen.client.subscribeAsync(toBob, { qos: 1 })
    frozen.client.stream.pause()
    const big = "x".repeat(60_000)
    const texts = Array.from({ length: 100 }, (_, i) => `${String(i)} ${big}`)
    await aliceSends(portOf(broker), texts)
    expect(broker.stats().queued.frames).toBe(100)
    await frozen.client.endAsync(true)
    expect(await bobReceives(portOf(broker), texts.at(-1) ?? "")).toEqual(texts)
  })

  test("come once each while the device is online, and leave nothing behind", async () => {
    const broker = await fixture.start()
    const atBob = await connect(optionsFor(fixture, portOf(broker), bob))
    await atBob.client.subscribeAsync([toBob, `mc/1/i/${bob.id}/+`], { qos: 1 })
    await aliceSends(portOf(broker), numbered(0, 100))
    await atBob.waitFor(100)
    // Acknowledgements are sent before the answer to this.
    await atBob.client.unsubscribeAsync("mc/1/p/1")
    expect(atBob.received).toEqual(numbered(0, 100).map((text) => `${toBob} ${text}`))
    expect(broker.stats().queued).toEqual({ sessions: 1, frames: 0, bytes: 0, dropped: 0 })
    await atBob.client.endAsync()
  })

  test("are gone after thirty days, and in the order of their arrival before", async () => {
    const journalPath = `${fixture.folder}/old`
    const queues = new Queues("registrar")
    const journal = await openJournal(journalPath, {
      apply: (r) => queues.apply(r),
      snapshot: () => queues.snapshot(),
    })
    const kept = { kind: "queued", session: bob.id, topic: toBob } as const
    // Of a broker that was running until now.
    const at = Date.now() - 30 * DAY
    journal.append({ kind: "subscribed", session: bob.id, filter: toBob, qos: 1 })
    journal.append({ ...kept, sequence: 1, at: at - DAY, payload: Buffer.from("too old") })
    journal.append({ ...kept, sequence: 2, at: at + DAY, payload: Buffer.from("old") })
    journal.append({ kind: "seen", session: bob.id, at: Date.now() })
    await journal.close()
    const broker = await fixture.start({ journalPath })
    await aliceSends(portOf(broker), ["new"])
    expect(await bobReceives(portOf(broker), "new")).toEqual(["old", "new"])
  })

  test("that find a full queue are acknowledged, dropped and counted; their senders still have them", async () => {
    const journalPath = `${fixture.folder}/full`
    const queues = new Queues("registrar")
    const journal = await openJournal(journalPath, {
      apply: (r) => queues.apply(r),
      snapshot: () => queues.snapshot(),
    })
    journal.append({ kind: "subscribed", session: bob.id, filter: toBob, qos: 1 })
    for (let sequence = 1; sequence < QUEUE_MAX_FRAMES; sequence++) {
      const payload = Buffer.from(String(sequence))
      journal.append({ kind: "queued", session: bob.id, topic: toBob, sequence, at: Date.now(), payload })
    }
    await journal.close()
    const broker = await fixture.start({ journalPath })
    await aliceSends(portOf(broker), ["fits", "does not"])
    expect(broker.stats().queued).toMatchObject({ frames: QUEUE_MAX_FRAMES, dropped: 1 })
    const received = await bobReceives(portOf(broker), "fits")
    expect(received).toEqual([
      ...Array.from({ length: QUEUE_MAX_FRAMES - 1 }, (_, i) => String(i + 1)),
      "fits",
    ])
  })

  test("are deleted when the device asks for a clean session", async () => {
    const broker = await fixture.start()
    await bobSubscribesAndLeaves(portOf(broker))
    await aliceSends(portOf(broker), ["never read"])
    const clean = await connect({ ...optionsFor(fixture, portOf(broker), bob), clean: true })
    await clean.client.endAsync()
    await bobSubscribesAndLeaves(portOf(broker))
    await aliceSends(portOf(broker), ["read"])
    expect(await bobReceives(portOf(broker), "read")).toEqual(["read"])
  })

  test("come again, marked as repeats, when the device left without an acknowledgement", async () => {
    const broker = await fixture.start()
    const repeats: boolean[] = []
    const onPacket = (_topic: string, packet: { dup: boolean }): unknown => repeats.push(packet.dup)
    const unresponsive = await connect(optionsFor(fixture, portOf(broker), bob), onPacket)
    unresponsive.client.handleMessage = () => undefined
    await unresponsive.client.subscribeAsync(toBob, { qos: 1 })
    await aliceSends(portOf(broker), ["unanswered"])
    await unresponsive.waitFor(1)
    await unresponsive.client.endAsync(true)
    const again = await connect(optionsFor(fixture, portOf(broker), bob), onPacket)
    expect(await again.waitFor(1)).toEqual([`${toBob} unanswered`])
    await again.client.endAsync()
    expect(repeats).toEqual([false, true])
  })

  test("do not include those of a pairing: a device that comes back holds no nameplate", async () => {
    const broker = await fixture.start()
    const before = await connect(optionsFor(fixture, portOf(broker), bob))
    await before.client.subscribeAsync(["mc/1/p/5", toBob], { qos: 1 })
    await before.client.endAsync()
    const atAlice = await connect(optionsFor(fixture, portOf(broker), alice))
    await atAlice.client.publishAsync("mc/1/p/5", "while away", { qos: 1 })
    const after = await connect(optionsFor(fixture, portOf(broker), bob))
    await atAlice.client.publishAsync("mc/1/p/5", "while back", { qos: 1 })
    await atAlice.client.publishAsync(toBob, "marker", { qos: 1 })
    expect(await after.waitFor(1)).toEqual([`${toBob} marker`])
    for (const { client } of [atAlice, after]) await client.endAsync()
  })
})
