import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { connect, type Device, mint, newId, optionsFor, type Party } from "./world.ts"

/** What the guide has an operator type, each with DEVICE for the device id. */
const COMMANDS = readFileSync(join(import.meta.dirname, "../../docs/brokers.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("    mosquitto_ctrl dynsec "))
  .map((line) => line.trim().split(" ").slice(1))
const isOfDevice = (command: readonly string[]): boolean => command.some((word) => word.includes("DEVICE"))

describe.skipIf(mosquittoIsMissing())("Mosquitto with dynamic-security, as the guide sets it up", () => {
  let broker: Mosquitto
  let alice: Device
  let mallory: Device

  beforeAll(async () => {
    broker = await startMosquitto("dynamic")
    for (const command of COMMANDS) if (!isOfDevice(command)) control(command)
    ;[alice, mallory] = [await member(), await member()]
  })
  afterAll(() => broker.close())

  function control(command: readonly string[]): void {
    const admin = ["-h", "127.0.0.1", "-p", String(broker.guestPort), "-u", "admin", "-P", "secret"]
    execFileSync("mosquitto_ctrl", [...admin, ...command.map((word) => word.replaceAll("'", ""))], {
      stdio: "pipe",
    })
  }

  async function member(): Promise<Device> {
    const device = await mint(broker.authority, newId())
    for (const command of COMMANDS) {
      if (isOfDevice(command)) control(command.map((word) => word.replaceAll("DEVICE", device.id)))
    }
    return device
  }

  const enter = (device: Device): Promise<Party> => connect(optionsFor(broker, broker.port, device))

  test("carries a message to an inbox, and a word on a nameplate", async () => {
    const [atAlice, atMallory] = [await enter(alice), await enter(mallory)]
    const toAlice = `mc/1/i/${alice.id}/${newId()}`
    await atAlice.client.subscribeAsync(["mc/1/p/7", toAlice], { qos: 1 })
    await atMallory.client.publishAsync(toAlice, "hello", { qos: 1 })
    await atMallory.client.publishAsync("mc/1/p/7", "pair?", { qos: 1 })
    expect(await atAlice.hear(2)).toEqual([`${toAlice} hello`, "mc/1/p/7 pair?"])
    for (const { client } of [atAlice, atMallory]) await client.endAsync()
  })

  test("refuses what is another's", async () => {
    const atMallory = await enter(mallory)
    const others = [
      "#",
      "mc/1/i/+/+",
      `mc/1/i/${alice.id}/+`,
      `mc/1/reg/a/${alice.id}`,
      "$SYS/#",
      "mc/1/reg/q/+",
    ]
    for (const filter of others) {
      await expect(atMallory.client.subscribeAsync(filter, { qos: 1 })).rejects.toThrow()
    }
    await atMallory.client.endAsync()
  })

  test("lets nobody do anything who was not made a client, though the certificate lets him connect", async () => {
    const unknown = await mint(broker.authority, newId())
    expect(await canDo(unknown)).toBe(false)
    expect(await canDo(mallory)).toBe(true)
  })

  test("ends the connection of a device that is deleted, and lets it do nothing any more", async () => {
    const lost = await member()
    const atLost = await enter(lost)
    control(["dynsec", "deleteClient", lost.id])
    await atLost.closed
    expect(await canDo(lost)).toBe(false)
  })

  /** Whether a device may subscribe to its own inbox. */
  async function canDo(device: Device): Promise<boolean> {
    const { client } = await enter(device)
    const done = await client.subscribeAsync(`mc/1/i/${device.id}/+`, { qos: 1 }).then(
      () => true,
      () => false,
    )
    await client.endAsync()
    return done
  }

  test("a device that is only disabled comes back by its certificate, so the guide deletes it", async () => {
    const lost = await member()
    control(["dynsec", "disableClient", lost.id])
    expect(await canDo(lost)).toBe(true)
  })
})
