import { putBack, recordFolder, type Disk } from "../fs/power-cut.ts"
import { join } from "node:path"
import type { Client, Subscription } from "aedes"
import { expect, test } from "vitest"
import { openOfflineQueues, type OfflineQueues } from "../../src/broker/queues/offline-queues.ts"
import { folder } from "../keystore/folder.ts"
import { newId } from "./broker-fixture.ts"

const bob = newId()
const inbox = `mc/1/i/${bob}/${newId()}`
/** The part of a connection that the offline queues use. */
const client = { id: bob, clean: false, closed: false } as unknown as Client
const filters: Subscription[] = [{ topic: inbox, qos: 1 }]
const SYNCED = ["write journal", "sync journal", "synced journal"]

function open(path: string): Promise<OfflineQueues> {
  return openOfflineQueues(join(path, "journal"), "registrar", {
    isSubscribed: () => true,
    maySend: () => true,
  })
}

const message = (topic: string) =>
  ({ cmd: "publish", topic, payload: Buffer.from("sealed"), qos: 1, dup: false, retain: false }) as const

/** What waits for Bob, and whether he is subscribed, in a broker that finds this disk. */
async function found(disk: Disk): Promise<{ frames: number; subscriptions: number }> {
  const path = folder()
  putBack(disk, path)
  const queues = await open(path)
  const { frames } = queues.stats().queued
  const subscriptions = (await queues.subscriptionsByClient(client)).length
  await queues.close()
  return { frames, subscriptions }
}

test("SUBACK and PUBACK are sent when the subscription and the message are on the disk", async () => {
  const path = folder()
  const queues = await open(path)
  const recorder = recordFolder(path)
  await queues.addSubscriptions(client, filters)
  recorder.note("SUBACK")
  expect(await found(recorder.cut())).toEqual({ frames: 0, subscriptions: 1 })
  await queues.accept(message(inbox))
  recorder.note("PUBACK")
  expect(await found(recorder.cut())).toEqual({ frames: 1, subscriptions: 1 })
  expect(recorder.log).toEqual([...SYNCED, "SUBACK", ...SYNCED, "PUBACK"])
  await queues.close()
})

test("PUBACK of a message that is not kept waits for those before it: MQTT acknowledges in order", async () => {
  const path = folder()
  const queues = await open(path)
  await queues.addSubscriptions(client, filters)
  const recorder = recordFolder(path)
  const first = queues.accept(message(inbox))
  await queues.accept(message(`mc/1/i/${newId()}/${newId()}`))
  recorder.note("PUBACK")
  await first
  expect(recorder.log).toEqual([...SYNCED, "PUBACK"])
  await queues.close()
})
