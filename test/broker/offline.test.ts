import { afterEach, beforeEach, describe, expect, test } from "vitest"
import { connect, type Device, newId, newWorld, optionsFor, type World } from "./world.ts"

describe("messages for a device that is away", () => {
  let world: World
  let alice: Device
  let bob: Device
  let toBob: string

  beforeEach(async () => {
    world = await newWorld()
    alice = await world.device()
    bob = await world.device()
    toBob = `mc/1/i/${bob.id}/${newId()}`
  })
  afterEach(() => world.end())

  async function bobSubscribesAndLeaves(port: number): Promise<void> {
    const atBob = await connect(optionsFor(world, port, bob))
    await atBob.client.subscribeAsync(`mc/1/i/${bob.id}/+`, { qos: 1 })
    await atBob.client.endAsync()
  }

  async function aliceSends(port: number, texts: readonly string[]): Promise<void> {
    const atAlice = await connect(optionsFor(world, port, alice))
    for (const text of texts) await atAlice.client.publishAsync(toBob, text, { qos: 1 })
    await atAlice.client.endAsync()
  }

  async function bobHears(port: number, last: string): Promise<string[]> {
    const atBob = await connect(optionsFor(world, port, bob))
    while (!atBob.heard.includes(`${toBob} ${last}`)) await atBob.hear(atBob.heard.length + 1)
    await atBob.client.endAsync()
    return atBob.heard.map((line) => line.slice(toBob.length + 1))
  }

  function numbered(from: number, to: number): string[] {
    return Array.from({ length: to - from }, (_, i) => `message ${String(from + i)}`)
  }

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`survive ${signal} of the broker, in order`, async () => {
      const first = await world.spawn(0)
      await bobSubscribesAndLeaves(first.port)
      await aliceSends(first.port, numbered(0, 200))
      await first.end(signal)
      const second = await world.spawn(first.port)
      await aliceSends(second.port, numbered(200, 250))
      expect(await bobHears(second.port, "message 249")).toEqual(numbered(0, 250))
      await second.end(signal)
      const third = await world.spawn(first.port)
      await aliceSends(third.port, ["the last"])
      // Acknowledgements that were under way when the broker ended are lost: those come again, and no others.
      const again = (await bobHears(third.port, "the last")).slice(0, -1)
      expect(again).toEqual(numbered(250 - again.length, 250))
    })
  }
})
