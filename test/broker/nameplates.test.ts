import { afterEach, beforeEach, describe, expect, it, test } from "vitest"
import {
  type HeldNameplates,
  NAMEPLATE_LIMIT,
  NameplateLimiter,
} from "../../src/broker/limits/nameplate-limiter.ts"
import { until } from "../until.ts"
import {
  type BrokerFixture,
  connect,
  type Device,
  newBrokerFixture,
  optionsFor,
  portOf,
  type TestClient,
} from "./broker-fixture.ts"

const NOW = 1_800_000_000_000
const plate = (number: number) => `mc/1/p/${number}`
const REFUSED = 128

describe("nameplates of one member, counted", () => {
  const holds = (held: HeldNameplates, ...numbers: readonly number[]) =>
    numbers.map((number) => held.take(plate(number), NOW))

  test("two at once, over all its connections; other members have their own", () => {
    const limiter = new NameplateLimiter()
    const [one, other, bob] = [limiter.open("mallory"), limiter.open("mallory"), limiter.open("bob")]
    expect(holds(one, 1, 2, 3, 1)).toEqual([true, true, false, true])
    expect(holds(other, 3, 2)).toEqual([false, true])
    expect(holds(bob, 1, 3)).toEqual([true, true])
    one.leave([plate(2)])
    expect(holds(other, 4)).toEqual([false])
    other.close()
    expect(holds(one, 4)).toEqual([true])
  })

  test("so many within a minute, and what is no nameplate is not counted", () => {
    const limiter = new NameplateLimiter()
    const mallory = limiter.open("mallory")
    const takeAndLeave = (number: number, now: number): boolean => {
      const may = mallory.take(plate(number), now)
      mallory.leave([plate(number)])
      return may
    }
    const { perMinute } = NAMEPLATE_LIMIT
    for (let number = 1; number <= perMinute; number++) expect(takeAndLeave(number, NOW)).toBe(true)
    expect(takeAndLeave(perMinute + 1, NOW)).toBe(false)
    expect(mallory.take("mc/1/reg/a/x", NOW)).toBe(true)
    expect(takeAndLeave(perMinute + 1, NOW + 60_000)).toBe(true)
  })

  test("a last message may still leave on a nameplate that was left, and holds nothing", () => {
    const mallory = new NameplateLimiter().open("mallory")
    expect(holds(mallory, 1)).toEqual([true])
    mallory.leave([plate(1)])
    expect(mallory.write(plate(1), NOW)).toBe(true)
    expect(holds(mallory, 2, 3)).toEqual([true, true])
    expect(mallory.write(plate(4), NOW)).toBe(false)
  })

  test("only what was held is left: to unsubscribe from others opens none, and forgets no last message", () => {
    const mallory = new NameplateLimiter().open("mallory")
    expect(holds(mallory, 1, 2)).toEqual([true, true])
    mallory.leave([plate(3), plate(4)])
    expect([3, 4].map((number) => mallory.write(plate(number), NOW))).toEqual([false, false])
    mallory.leave([plate(1), plate(1), plate(5), plate(6)])
    expect(holds(mallory, 7)).toEqual([true])
    mallory.leave([plate(1)])
    expect([1, 5, 6].map((number) => mallory.write(plate(number), NOW))).toEqual([true, false, false])
  })
})

describe("at the broker", () => {
  let fixture: BrokerFixture
  let mallory: Device
  let port: number

  beforeEach(async () => {
    fixture = await newBrokerFixture()
    mallory = await fixture.device()
    port = portOf(await fixture.start())
  })
  afterEach(() => fixture.end())

  const open = (device?: Device): Promise<TestClient> => connect(optionsFor(fixture, port, device))

  async function grant(client: TestClient, number: number): Promise<number> {
    const granted = await client.client
      .subscribeAsync(plate(number), { qos: 1 })
      .then(([answer]) => answer?.qos ?? REFUSED)
      .catch(() => REFUSED)
    return granted
  }

  it("a member can hold two of 9,999, and gets another for one that it leaves", async () => {
    const client = await open(mallory)
    expect([await grant(client, 1), await grant(client, 2), await grant(client, 3)]).toEqual([1, 1, REFUSED])
    await client.client.unsubscribeAsync(plate(1))
    expect(await grant(client, 3)).toBe(1)
    expect(await grant(client, 2)).toBe(1)
  })

  it("two are all that it can hold by one packet, too", async () => {
    const client = await open(mallory)
    const watcher = await open(await fixture.device())
    await client.client
      .subscribeAsync(
        Array.from({ length: 50 }, (_, at) => plate(at + 1)),
        { qos: 1 },
      )
      .catch(() => undefined)
    expect(await grant(watcher, 50)).toBe(1)
    await watcher.client.publishAsync(plate(50), "to no one", { qos: 1 })
    await watcher.client.unsubscribeAsync(plate(50))
    expect(await grant(watcher, 2)).toBe(1)
    await watcher.client.publishAsync(plate(2), "to both", { qos: 1 })
    expect(await client.waitFor(1)).toEqual([`${plate(2)} to both`])
  })

  it("it cannot write on a third, and a new connection has room again", async () => {
    const client = await open(mallory)
    expect([await grant(client, 1), await grant(client, 2)]).toEqual([1, 1])
    client.client.publish(plate(3), "claim", { qos: 1 })
    await client.closed
    const again = await open(mallory)
    await until(async () => (await grant(again, 4)) === 1)
  })

  it("it cannot write on one that it never held by unsubscribing from it first", async () => {
    const client = await open(mallory)
    const bob = await open(await fixture.device())
    expect([await grant(client, 1), await grant(client, 2), await grant(bob, 3)]).toEqual([1, 1, 1])
    await client.client.unsubscribeAsync(plate(3))
    client.client.publish(plate(3), "stop", { qos: 1 })
    await Promise.race([client.closed, bob.waitFor(1)])
    await bob.client.publishAsync(plate(3), "his own", { qos: 1 })
    expect(await bob.waitFor(1)).toEqual([`${plate(3)} his own`])
  })
})
