import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { memoryOf, openMany, type RawClient } from "./raw-client.ts"
import {
  connect,
  type Device,
  newId,
  newBrokerFixture,
  optionsFor,
  type BrokerFixture,
} from "./broker-fixture.ts"

const CLIENTS = 1_000
const MIB = 1024 * 1024
/** The figure to reach is 60 (`npm run bench`); garbage that V8 has not collected yet comes on top here. */
const MEMORY_MAX = 150 * MIB

describe("a thousand TLS clients on the embedded broker", () => {
  let fixture: BrokerFixture
  let devices: Device[]

  beforeAll(async () => {
    fixture = await newBrokerFixture()
    devices = await fixture.devices(CLIENTS)
  })
  afterAll(() => fixture.end())

  test("fit into bounded memory, each receives its own messages, and one that stops reading stalls no other", async () => {
    const broker = await fixture.spawn(0)
    const at = { port: broker.port, ca: fixture.authority.caCertificate }
    const before = await memoryOf(broker.pid)
    const clients = await openMany(at, devices)
    expect((await memoryOf(broker.pid)) - before).toBeLessThan(MEMORY_MAX)

    const [alice, bob] = [await fixture.device(), await fixture.device()]
    const atAlice = await connect(optionsFor(fixture, broker.port, alice))
    const atBob = await connect(optionsFor(fixture, broker.port, bob))
    const toBob = `mc/1/i/${bob.id}/${newId()}`
    await atBob.client.subscribeAsync(toBob, { qos: 1 })
    for (const { id } of devices)
      await atAlice.client.publishAsync(`mc/1/i/${id}/${newId()}`, "hello", { qos: 1 })
    await Promise.all(clients.map((client) => client.firstBytes()))

    const frozen = clients.slice(0, 20)
    for (const { socket } of frozen) socket.pause()
    const atMallory = await connect(optionsFor(fixture, broker.port, await fixture.device()))
    const flood = (async () => {
      for (const { id } of devices.slice(0, frozen.length)) {
        for (let frame = 0; frame < 100; frame++) {
          await atMallory.client.publishAsync(`mc/1/i/${id}/${newId()}`, "x".repeat(60_000), { qos: 0 })
        }
      }
    })()
    for (let n = 0; n < 100; n++) await atAlice.client.publishAsync(toBob, String(n), { qos: 1 })
    expect(await atBob.waitFor(100)).toEqual(Array.from({ length: 100 }, (_, n) => `${toBob} ${String(n)}`))
    await flood
    expect((await memoryOf(broker.pid)) - before).toBeLessThan(2 * MEMORY_MAX)

    end(clients)
    for (const { client } of [atAlice, atBob, atMallory]) await client.endAsync(true)
    await broker.end("SIGTERM")
  })

  function end(clients: readonly RawClient[]): void {
    for (const { socket } of clients) socket.destroy()
  }
})
