import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { PAYLOAD_MAX_BYTES } from "../../src/broker/limits/packet-size-guard.ts"
import { publishPacket } from "../../src/broker/queues/publish-packet.ts"
import { pairingTopic } from "../../src/wire/topics.ts"
import { connect, newId, newBrokerFixture, optionsFor, portOf, type BrokerFixture } from "./broker-fixture.ts"

describe("a message from a queue", () => {
  let fixture: BrokerFixture

  beforeAll(async () => {
    fixture = await newBrokerFixture()
  })
  afterAll(() => fixture.end())

  test("is a packet of MQTT 3.1.1, and has DUP set when it is sent again", () => {
    const message = { topic: "a/b", payload: Buffer.from("hello"), messageId: 258 }
    const body = Buffer.concat([
      Buffer.from([0, 3]),
      Buffer.from("a/b"),
      Buffer.from([1, 2]),
      message.payload,
    ])
    expect(publishPacket({ ...message, dup: false })).toEqual(Buffer.concat([Buffer.from([0x32, 12]), body]))
    expect(publishPacket({ ...message, dup: true })[0]).toBe(0x3a)
  })

  test("arrives whole just below and above each size where the length takes one byte more", async () => {
    const broker = await fixture.start()
    const [alice, bob] = [await fixture.device(), await fixture.device()]
    const atAlice = await connect(optionsFor(fixture, portOf(broker), alice))
    const atBob = await connect(optionsFor(fixture, portOf(broker), bob))
    const toBob = `mc/1/i/${bob.id}/${newId()}`
    await atBob.client.subscribeAsync(toBob, { qos: 1 })
    const around = [128, 16_384].flatMap((edge) => [-1, 0, 1].map((n) => edge - toBob.length - 4 + n))
    const payloads = [...around, PAYLOAD_MAX_BYTES].map((bytes) => "x".repeat(bytes))
    for (const payload of payloads) await atAlice.client.publishAsync(toBob, payload, { qos: 1 })
    expect(await atBob.waitFor(payloads.length)).toEqual(payloads.map((payload) => `${toBob} ${payload}`))
    for (const { client } of [atAlice, atBob]) await client.endAsync()
  })

  test("never has the packet id of one that bypassed the queue at the same time", async () => {
    const broker = await fixture.start()
    const [alice, bob] = [await fixture.device(), await fixture.device()]
    const numbers: (number | undefined)[] = []
    const atAlice = await connect(optionsFor(fixture, portOf(broker), alice))
    const atBob = await connect(optionsFor(fixture, portOf(broker), bob), (_topic, { messageId }) =>
      numbers.push(messageId),
    )
    const toBob = `mc/1/i/${bob.id}/${newId()}`
    await atBob.client.subscribeAsync([toBob, pairingTopic(7)], { qos: 1 })
    const topics = Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? toBob : pairingTopic(7)))
    await Promise.all(topics.map((topic) => atAlice.client.publishAsync(topic, "hello", { qos: 1 })))
    await atBob.waitFor(topics.length)
    expect(new Set(numbers).size).toBe(topics.length)
    for (const { client } of [atAlice, atBob]) await client.endAsync()
  })
})
