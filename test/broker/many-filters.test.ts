import { afterAll, beforeAll, expect, test } from "vitest"
import { limitsFor } from "../../src/broker/limits/limits.ts"
import { connect, newBrokerFixture, newId, optionsFor, portOf, type BrokerFixture } from "./broker-fixture.ts"

const CONTACTS = 10_000
/** As our own client sends them. */
const BATCH = 100
const REFUSED = 128

let fixture: BrokerFixture
beforeAll(async () => {
  fixture = await newBrokerFixture()
})
afterAll(() => fixture.end())

test("a device has ten thousand mailboxes, and receives in each of them after a new connection", async () => {
  const broker = await fixture.start({ journalPath: `${fixture.folder}/many` })
  const [alice, bob] = [await fixture.device(), await fixture.device()]
  const mailboxes = Array.from({ length: CONTACTS }, () => `mc/1/i/${alice.id}/${newId()}`)
  const options = optionsFor(fixture, portOf(broker), alice)
  const first = await connect(options)
  for (let at = 0; at < CONTACTS; at += BATCH)
    await first.client.subscribeAsync(mailboxes.slice(at, at + BATCH), { qos: 1 })
  await first.client.endAsync()
  const atBob = await connect(optionsFor(fixture, portOf(broker), bob))
  const [oldest = "", newest = ""] = [mailboxes[0], mailboxes.at(-1)]
  for (const topic of [oldest, newest]) await atBob.client.publishAsync(topic, "while away", { qos: 1 })
  const second = await connect(options)
  for (let at = 0; at < CONTACTS; at += BATCH)
    await second.client.subscribeAsync(mailboxes.slice(at, at + BATCH), { qos: 1 })
  for (const topic of [oldest, newest]) await atBob.client.publishAsync(topic, "while here", { qos: 1 })
  const texts = ["while away", "while here"].flatMap((text) => [`${oldest} ${text}`, `${newest} ${text}`])
  expect(await second.waitFor(4)).toEqual(texts)
  expect(broker.stats().filtersRefused).toBe(0)
  for (const { client } of [second, atBob]) await client.endAsync()
})

test("what is above the limit is refused in SUBACK and told to the operator once; the connection stays", async () => {
  const reported: string[] = []
  const broker = await fixture.start({
    journalPath: `${fixture.folder}/full`,
    limits: { ...limitsFor(10_000), filtersMax: 5 },
    onFiltersFull: (device, filtersMax) => reported.push(`${device} ${String(filtersMax)}`),
  })
  const alice = await fixture.device()
  const [a, b, c, d, e, f, g] = Array.from({ length: 7 }, () => `mc/1/i/${alice.id}/${newId()}`)
  const grants = async (asked: (string | undefined)[]): Promise<(number | undefined)[]> => {
    const topics = asked.flatMap((topic) => topic ?? [])
    return new Promise((resolve) =>
      atAlice.client.subscribe(topics, { qos: 1 }, (_error, _asked, suback) =>
        resolve(suback?.granted.map(Number) ?? []),
      ),
    )
  }
  let atAlice = await connect(optionsFor(fixture, portOf(broker), alice))
  expect(await grants([a, b, c, d])).toEqual([1, 1, 1, 1])
  expect(await grants([e, f, g])).toEqual([1, REFUSED, REFUSED])
  expect(await grants([a, f])).toEqual([1, REFUSED])
  expect(reported).toEqual([`${alice.id} 5`])
  expect(broker.stats()).toMatchObject({ filtersRefused: 3, refused: 3 })
  await atAlice.client.unsubscribeAsync(a ?? "")
  expect(await grants([f])).toEqual([1])
  await atAlice.client.publishAsync(f ?? "", "hello", { qos: 1 })
  expect(await atAlice.waitFor(1)).toEqual([`${f ?? ""} hello`])
  await atAlice.client.endAsync()
  atAlice = await connect(optionsFor(fixture, portOf(broker), alice))
  expect(await grants([b, f, g])).toEqual([1, 1, REFUSED])
  await atAlice.client.endAsync()
})
