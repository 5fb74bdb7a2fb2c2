import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Client, Subscription } from "aedes"
import { afterEach, beforeEach, expect, test } from "vitest"
import { openOfflineQueues, type OfflineQueues } from "../../src/broker/queues/offline-queues.ts"
import { DAY_MS } from "../../src/time-units.ts"
import { newId } from "./broker-fixture.ts"

const device = newId()
const filters = (count: number): Subscription[] =>
  Array.from({ length: count }, () => ({ topic: `mc/1/i/${device}/${newId()}`, qos: 1 }))

let folder: string
let asked: number
let queues: OfflineQueues

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mqttchat-office-"))
  asked = 0
  queues = await openOfflineQueues(join(folder, "queues.journal"), "registrar", {
    isSubscribed: () => ++asked > 0,
    maySend: () => true,
  })
})
afterEach(async () => {
  await queues.close()
  rmSync(folder, { recursive: true })
})

/** The part of a connection that the offline queues use. */
function connection(): { client: Client; close: () => void } {
  const state = { id: device, clean: false, closed: false }
  return { client: state as unknown as Client, close: () => (state.closed = true) }
}

test("one SUBSCRIBE costs as much as it has filters, though aedes hands over all of them for each", async () => {
  const { client } = connection()
  const packet = filters(500)
  await Promise.all(packet.map(() => queues.addSubscriptions(client, packet)))
  expect(asked).toBe(500)
  expect(await queues.subscriptionsByClient(client)).toHaveLength(500)
})

test("subscriptions in progress do not bring back a session that was dropped", async () => {
  const { client, close } = connection()
  const first = queues.addSubscriptions(client, filters(1))
  const forgotten = queues.forget(device)
  const late = [filters(1), filters(1)].map((packet) => queues.addSubscriptions(client, packet))
  close()
  await Promise.all([first, forgotten, ...late])
  expect(await queues.subscriptionsByClient(client)).toEqual([])
})

test("a device that has been away for ninety days is forgotten, and not before; a message waits for thirty", async () => {
  const { client } = connection()
  const [filter] = filters(1)
  await queues.addSubscriptions(client, [filter!])
  const packet = {
    cmd: "publish",
    payload: Buffer.from("sealed"),
    qos: 1,
    dup: false,
    retain: false,
  } as const
  await queues.accept({ ...packet, topic: filter!.topic })
  const left = async (days: number) => {
    queues.expire(Date.now() + days * DAY_MS)
    const subscriptions = await queues.subscriptionsByClient(client)
    return [queues.stats().queued.frames, subscriptions.length]
  }
  // Seen today.
  expect(await left(0)).toEqual([1, 1])
  expect(await left(29)).toEqual([1, 1])
  expect(await left(31)).toEqual([0, 1])
  expect(await left(89)).toEqual([0, 1])
  expect(await left(91)).toEqual([0, 0])
})
