import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Client, Subscription } from "aedes"
import { afterEach, beforeEach, expect, test } from "vitest"
import { openOfflineQueues, type OfflineQueues } from "../../src/broker/queues/offline-queues.ts"
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
