import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { type Mosquitto, mosquittoIsMissing, startMosquitto } from "../mosquitto.ts"
import { connect, type Device, mint, newId, optionsFor, type TestClient } from "./broker-fixture.ts"

const SCRIPT = join(import.meta.dirname, "../../mosquitto/dynamic-security.sh")

describe.skipIf(mosquittoIsMissing())("Mosquitto with dynamic-security, as the script sets it up", () => {
  let broker: Mosquitto
  let alice: Device
  let mallory: Device

  beforeAll(async () => {
    broker = await startMosquitto("dynamic")
    script("setup")
    ;[alice, mallory] = [await member(), await member()]
  })
  afterAll(() => broker.close())

  const admin = (): string[] => [
    "-h",
    "127.0.0.1",
    "-p",
    String(broker.guestPort),
    "-u",
    "admin",
    "-P",
    "secret",
  ]

  function script(...words: readonly string[]): void {
    execFileSync(SCRIPT, [...words, ...admin()], { stdio: "pipe" })
  }

  async function member(): Promise<Device> {
    const device = await mint(broker.authority, newId())
    script("admit", device.id)
    return device
  }

  const enter = (device: Device): Promise<TestClient> => connect(optionsFor(broker, broker.port, device))

  test("carries a message to an inbox, and one on a nameplate", async () => {
    const [atAlice, atMallory] = [await enter(alice), await enter(mallory)]
    const toAlice = `mc/1/i/${alice.id}/${newId()}`
    await atAlice.client.subscribeAsync(["mc/1/p/7", toAlice], { qos: 1 })
    await atMallory.client.publishAsync(toAlice, "hello", { qos: 1 })
    await atMallory.client.publishAsync("mc/1/p/7", "pair?", { qos: 1 })
    expect(await atAlice.waitFor(2)).toEqual([`${toAlice} hello`, "mc/1/p/7 pair?"])
    for (const { client } of [atAlice, atMallory]) await client.endAsync()
  })

  test("refuses the topics of other clients", async () => {
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

  test("lets a device that was not admitted connect by its certificate, and do nothing", async () => {
    const unknown = await mint(broker.authority, newId())
    expect(await canDo(unknown)).toBe(false)
    expect(await canDo(mallory)).toBe(true)
  })

  test("ends the connection of a revoked device, and lets it do nothing any more", async () => {
    const lost = await member()
    const atLost = await enter(lost)
    script("expel", lost.id)
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

  test("a device that is only disabled comes back by its certificate, so the script deletes it", async () => {
    const lost = await member()
    execFileSync("mosquitto_ctrl", [...admin(), "dynsec", "disableClient", lost.id], { stdio: "pipe" })
    expect(await canDo(lost)).toBe(true)
  })

  test("admits no id that would match more than one device", () => {
    for (const id of ["+", "#", "a/b", "", "a b"])
      expect(() => script("admit", id)).toThrow("not a device id")
  })
})
