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
/** The machine's clock, and one that nobody sets. */
let clocks: { wall: number; elapsed: number }

const opened = () =>
  openOfflineQueues(
    join(folder, "queues.journal"),
    "registrar",
    { isSubscribed: () => ++asked > 0, maySend: () => true },
    { wall: () => clocks.wall, elapsed: () => clocks.elapsed },
  )
const reopened = async () => {
  await queues.close()
  queues = await opened()
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "mqttchat-office-"))
  asked = 0
  clocks = { wall: 1_800_000_000_000, elapsed: 0 }
  queues = await opened()
})
afterEach(async () => {
  await queues.close()
  rmSync(folder, { recursive: true })
})

/** The part of a connection that the offline queues use. */
function connection(id = device): { client: Client; close: () => void } {
  const state = { id, clean: false, closed: false }
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

/** A device that has subscribed and gone, and a message for it; gives how many messages and subscriptions are left. */
async function messageForOneWhoIsAway() {
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
  const left = async () => {
    queues.expire()
    const subscriptions = await queues.subscriptionsByClient(client)
    return [queues.stats().queued.frames, subscriptions.length]
  }
  // Seen today.
  expect(await left()).toEqual([1, 1])
  return left
}

test("a device that has been away for ninety days is forgotten, and not before; a message waits for thirty", async () => {
  const left = await messageForOneWhoIsAway()
  const after = (days: number) => {
    clocks.elapsed = days * DAY_MS
    return left()
  }
  expect(await after(29)).toEqual([1, 1])
  expect(await after(31)).toEqual([0, 1])
  expect(await after(89)).toEqual([0, 1])
  expect(await after(91)).toEqual([0, 0])
})

test.each([400, -400, 40_000])(
  "a clock that is set %i days wrong drops nothing and forgets no one, at once or at a restart [D-110]",
  async (days) => {
    const left = await messageForOneWhoIsAway()
    clocks.wall += days * DAY_MS
    expect(await left()).toEqual([1, 1])
    await reopened()
    expect(await left()).toEqual([1, 1])
    clocks.wall -= days * DAY_MS
    await reopened()
    expect(await left()).toEqual([1, 1])
    clocks.elapsed += 31 * DAY_MS
    expect(await left()).toEqual([0, 1])
  },
)

test("a broker that is off for some days at a time counts them, up to a week each time [D-110]", async () => {
  const left = await messageForOneWhoIsAway()
  for (let times = 0; times < 5; times += 1) {
    clocks.wall += 5.9 * DAY_MS
    await reopened()
    queues.connected(connection(newId()).client)
  }
  expect(await left()).toEqual([1, 1])
  clocks.wall += 2 * DAY_MS
  await reopened()
  expect(await left()).toEqual([0, 1])
})
