import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { makeAuthority } from "../../src/broker/certificates.ts"
import { rabbitIsMissing, startSingleRabbit, type RabbitWithAuth } from "../rabbit.ts"
import {
  connect,
  type Device,
  mint,
  newId,
  type Options,
  optionsFor,
  type TestClient,
} from "./broker-fixture.ts"

describe.skipIf(rabbitIsMissing())("RabbitMQ with the files that we ship", () => {
  let broker: RabbitWithAuth
  let alice: Device
  let bob: Device
  let mallory: Device

  beforeAll(async () => {
    broker = await startSingleRabbit()
    ;[alice, bob, mallory] = [await member(), await member(), await member()]
  })
  afterAll(() => broker.close())

  async function member(): Promise<Device> {
    const device = await mint(broker.authority, newId())
    broker.devices.add(device.id)
    return device
  }

  const options = (device?: Device): Options => ({
    ...optionsFor(broker, broker.port, device),
    clientId: device?.id ?? newId(),
  })
  const join = (device?: Device): Promise<TestClient> => connect(options(device))
  const inbox = (device: Device): string => `mc/1/i/${device.id}/${newId()}`
  const isRefused = (asked: Options): Promise<boolean> =>
    connect(asked).then(
      async ({ client }) => {
        await client.endAsync(true)
        return false
      },
      () => true,
    )

  /** A forbidden request ends the connection, and the subscription it asked for delivers nothing. */
  async function isEnded(
    device: Device | undefined,
    act: (testClient: TestClient) => unknown,
  ): Promise<boolean> {
    const testClient = await join(device)
    void Promise.resolve(act(testClient)).catch(() => undefined)
    const answered = testClient.client.subscribeAsync("mc/1/p/9", { qos: 1 }).catch(() => "closed")
    const first = await Promise.race([testClient.closed, answered])
    await testClient.client.endAsync(true)
    return first === "closed"
  }

  test("carries a message to an inbox, and keeps it for a device that is offline, through kill -9", async () => {
    const toBob = inbox(bob)
    const before = await join(bob)
    await before.client.subscribeAsync(toBob, { qos: 1 })
    await before.client.endAsync()
    const atAlice = await join(alice)
    await atAlice.client.publishAsync(toBob, "kept", { qos: 1 })
    await atAlice.client.endAsync()
    await broker.restart("SIGKILL")
    const after = await join(bob)
    expect(await after.waitFor(1)).toEqual([`${toBob} kept`])
    await after.client.endAsync()
  })

  test("refuses a device without its certificate, and one that was revoked", async () => {
    expect(await isRefused(options(alice))).toBe(false)
    const stranger = await mint(await makeAuthority(), newId())
    expect(await isRefused(options(stranger))).toBe(true)
    const named = { ...options(), clientId: alice.id, username: alice.id }
    expect(await isRefused({ ...named, password: "guest" })).toBe(true)
    expect(await isRefused(named)).toBe(true)
    expect(await isRefused({ ...options(mallory), username: alice.id, password: "x" })).toBe(true)
    const lost = await member()
    broker.revoked.add(lost.id)
    expect(await isRefused(options(lost))).toBe(true)
  })

  test("refuses the client id of another device, to devices and to guests", async () => {
    const atAlice = await join(alice)
    expect(await isRefused({ ...options(mallory), clientId: alice.id })).toBe(true)
    expect(await isRefused({ ...options(), clientId: alice.id })).toBe(true)
    expect(await isRefused({ ...options(), clientId: "registrar" })).toBe(true)
    expect(atAlice.client.connected).toBe(true)
    await atAlice.client.endAsync()
  })

  test.each<[string, (at: string) => string]>([
    ["everything", () => "#"],
    ["every inbox", () => "mc/1/i/+/+"],
    ["another's inbox", (other) => `mc/1/i/${other}/+`],
    ["another's mailbox", (other) => `mc/1/i/${other}/${newId()}`],
    ["every nameplate", () => "mc/1/p/+"],
    ["requests", () => "mc/1/reg/q/+"],
    ["another's answers", (other) => `mc/1/reg/a/${other}`],
    ["the broker's own topics", () => "$SYS/#"],
  ])("ends the connection of a client that subscribes to %s", async (_, filter) => {
    const wanted = filter(alice.id)
    expect(await isEnded(mallory, ({ client }) => client.subscribeAsync(wanted, { qos: 1 }))).toBe(true)
  })

  test("ends the connection of a client that answers as the registrar, or asks as another device", async () => {
    for (const topic of [`mc/1/reg/a/${newId()}`, `mc/1/reg/q/${alice.id}`, "elsewhere", "mc/1/i/x/y"]) {
      expect(await isEnded(mallory, ({ client }) => client.publishAsync(topic, "x", { qos: 1 }))).toBe(true)
    }
  })

  test("lets a guest pair and register, and reach no inbox", async () => {
    const id = newId()
    const toAlice = inbox(alice)
    const registrar = await join(await mint(broker.authority, "registrar"))
    const [atGuest, atAlice] = [await join(), await join(alice)]
    await atAlice.client.subscribeAsync(["mc/1/p/77", toAlice], { qos: 1 })
    await registrar.client.subscribeAsync("mc/1/reg/q/+", { qos: 1 })
    await atGuest.client.subscribeAsync(["mc/1/p/77", `mc/1/reg/a/${id}`], { qos: 1 })
    await atGuest.client.publishAsync(`mc/1/reg/q/${id}`, "let me in", { qos: 1 })
    await atGuest.client.publishAsync("mc/1/p/77", "guest", { qos: 1 })
    expect(await atAlice.waitFor(1)).toEqual(["mc/1/p/77 guest"])
    expect(await registrar.waitFor(1)).toEqual([`mc/1/reg/q/${id} let me in`])
    await registrar.client.publishAsync(`mc/1/reg/a/${id}`, "come", { qos: 1 })
    expect(await atGuest.waitFor(2)).toEqual(["mc/1/p/77 guest", `mc/1/reg/a/${id} come`])
    for (const { client } of [atAlice, atGuest, registrar]) await client.endAsync()
    expect(await isEnded(undefined, ({ client }) => client.publishAsync(toAlice, "x", { qos: 1 }))).toBe(true)
    expect(await isEnded(undefined, ({ client }) => client.subscribeAsync(toAlice, { qos: 1 }))).toBe(true)
  })

  test("keeps no retained message", async () => {
    const toBob = inbox(bob)
    const atAlice = await join(alice)
    await atAlice.client.publishAsync(toBob, "left behind", { qos: 1, retain: true })
    const atBob = await join(bob)
    await atBob.client.subscribeAsync(toBob, { qos: 1 })
    await atAlice.client.publishAsync(toBob, "sent", { qos: 1 })
    expect(await atBob.waitFor(1)).toEqual([`${toBob} sent`])
    for (const { client } of [atAlice, atBob]) await client.endAsync()
  })
})
