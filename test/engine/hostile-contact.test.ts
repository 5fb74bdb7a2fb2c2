import { randomBytes } from "node:crypto"
import { describe, expect, test } from "vitest"
import { fromHex, type KemSeed } from "../../src/crypto/bytes.ts"
import { kemKeyPair } from "../../src/crypto/mlkem.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { MESSAGE_OVERHEAD } from "../../src/wire/padding.ts"
import { EngineFixture } from "./engine-fixture.ts"
import { hostileContact } from "./hostile-contact.ts"

const textOf = (text: string): Frame => {
  return { kind: "text", id: randomBytes(8), time: 1, text: new TextEncoder().encode(text) }
}
const LAST = 0xffff_ffff

const text = (first: number): number[] => [2, 17, 0, first, ...new Array<number>(15).fill(0), 97]
const number = (n: number): number[] => [0x10, 4, 0, n, 0, 0, 0]
const padded = (frames: readonly number[]): Uint8Array => {
  const bytes = new Uint8Array((frames.length < 140 ? 256 : 16_384) - MESSAGE_OVERHEAD)
  bytes.set(frames)
  return bytes
}

describe("a contact with a modified program", () => {
  test("cannot crash ours with the largest number, now or at the next start", async () => {
    const { fixture, bob, sends } = await hostileContact()
    await sends(textOf("the last"), { kind: "number", number: LAST })
    await fixture.clock.pass(120_000)
    expect(await bob.texts("eve")).toEqual(["hello", "the last"])
    await bob.stop()
    await bob.start()
    await fixture.clock.pass(120_000)
    await sends(textOf("behind the last"), { kind: "number", number: LAST })
    expect(await bob.texts("eve")).toEqual(["hello", "the last", "behind the last"])
  })

  test.each([
    ["two texts", [text(1), text(2), number(1)]],
    ["a text without a number", [text(1)]],
    ["two numbers", [text(1), number(1), number(2)]],
    ["a thousand requests", Array.from({ length: 1_000 }, () => [0x16, 5, 0, 1, 0, 0, 0, 0])],
  ])(
    "has a message with %s refused whole and not acknowledged, and goes on [W-50]",
    async (_what, frames) => {
      const { fixture, bob, sends, sendsBytes } = await hostileContact()
      await sends({ kind: "nop" })
      const messages = fixture.broker.seen.length
      await sendsBytes(padded(frames.flat()))
      // Only hers was seen: no receipt of his left.
      expect(fixture.broker.seen.length).toBe(messages)
      expect(await bob.texts("eve")).toEqual(["hello"])
      await sends(textOf("the same place"), { kind: "number", number: 1 })
      expect(await bob.texts("eve")).toEqual(["hello", "the same place"])
      expect((await bob.client.call("contacts", {}))[0]?.state).toBe("established")
    },
  )

  test("has a later version's frames told in one line, and their number leaves no gap [W-27] [W-28]", async () => {
    const { fixture, bob, sends, sendsBytes } = await hostileContact()
    await sends({ kind: "nop" })
    await sendsBytes(padded([number(1), [0x70, 0, 0], [0x71, 0, 0]].flat()))
    const line = "eve sent something that this version of mqttchat does not support"
    expect(await bob.systemMessages("eve")).toEqual([line])
    expect(
      bob.events.filter((event) => event.kind === "message" && event.message.text === line),
    ).toHaveLength(1)
    // The bytes above took the place of her next message, so that one is lost.
    await sends({ kind: "nop" })
    await sends(textOf("two"), { kind: "number", number: 2 })
    await fixture.clock.pass(100)
    expect(await bob.texts("eve")).toEqual(["hello", "two"])
    expect(await bob.systemMessages("eve")).toEqual([line])
  })

  test("has a flood of a later version's frames told in one line until something else is said [D-25]", async () => {
    const { bob, sends, sendsBytes } = await hostileContact()
    await sends({ kind: "nop" })
    const floods = async (): Promise<void> => {
      for (let n = 0; n < 20; n += 1) {
        await sendsBytes(padded([0x70, 0, 0]))
        await sends({ kind: "nop" })
      }
    }
    await floods()
    await sends(textOf("meanwhile"), { kind: "number", number: 1 })
    await floods()
    expect((await bob.client.call("history", { contact: "eve", limit: 10 })).map(({ text }) => text)).toEqual(
      [
        "hello",
        "hello, Eve",
        "eve sent something that this version of mqttchat does not support",
        "meanwhile",
        "eve sent something that this version of mqttchat does not support",
      ],
    )
    const said = bob.events.filter((event) => event.kind === "message" && event.message.kind === "system")
    expect(said).toHaveLength(2)
  })

  test("fills no outbox by what Bob has to answer: the newest answer of a kind waits [D-73]", async () => {
    const { bob, injects, sends } = await hostileContact()
    for (let n = 1; n <= 30; n += 1) {
      injects({ kind: "again", numbers: [0] })
      injects({ kind: "topic", mailbox: randomBytes(16) })
      injects({ kind: "pq-ek", id: n, encapsulationKey: kemKeyPair(systemRandom(64) as KemSeed) })
    }
    await sends({ kind: "nop" })
    const waiting = (await bob.store.load()).outgoing.map(({ kind }) => kind)
    // Of her keys sixteen are answered [D-124]; a step of Bob's own is due then [S-40].
    expect(waiting.sort()).toEqual(["control", "gone", "pq-ct", "topic-ok"])
  })

  test("cannot set a timer that Bob is unable to end [W-32]", async () => {
    const { bob, sends } = await hostileContact()
    const timer = { kind: "timer", seconds: 30, setAt: Number.MAX_SAFE_INTEGER } as const
    const timerAtBob = async () => (await bob.client.call("contacts", {}))[0]?.timerSeconds
    await sends(timer)
    expect(await timerAtBob()).toBe(30)
    await bob.client.call("timer", { contact: "eve", timerSeconds: 0 })
    await sends(textOf("once more"), { kind: "number", number: 1 }, timer)
    expect(await timerAtBob()).toBe(0)
    await bob.client.call("timer", { contact: "eve", timerSeconds: 60 })
    await sends({ ...timer, seconds: 1 })
    expect(await timerAtBob()).toBe(60)
  })

  test("has links of a later version told in one line, also for who was away [A-11]", async () => {
    const { bob, links, sends } = await hostileContact()
    const [create] = links
    const accountId = create?.head ?? new Uint8Array()
    const later = Uint8Array.of(9, 1, 0)
    await sends({ kind: "chain", accountId, first: 1, links: later })
    await sends({ kind: "chain", accountId, first: 1, links: later })
    expect(await bob.systemMessages("eve")).toEqual([
      "eve's account has changes that this version of mqttchat cannot read: update mqttchat",
    ])
  })

  test.each([
    [0x70, 1],
    [0x85, 0],
  ])("has a frame of the type %i alone acknowledged by %i message [W-27]", async (type, receipts) => {
    const { fixture, sends, sendsBytes } = await hostileContact()
    await sends({ kind: "nop" })
    const messages = fixture.broker.seen.length
    await sendsBytes(padded([type, 0, 0]))
    expect(fixture.broker.seen.length).toBe(messages + receipts)
  })

  test("has a step begun that is due, although Bob sends no text [S-40]", async () => {
    const { fixture, eve, injects, sends } = await hostileContact()
    const seen = fixture.broker.seen.length
    for (let n = 0; n < 100; n += 1) injects({ kind: "nop" })
    await sends({ kind: "nop" })
    const answers = fixture.broker.seen.slice(seen).filter(({ topic }) => topic.includes(eve.deviceId))
    expect(answers.map(({ payload }) => payload.length)).toEqual([2_048])
  })

  test("has a second text under a number shown, not lost: the first was held back [D-20]", async () => {
    const { fixture, bob, sends } = await hostileContact()
    await sends(textOf("held back"), { kind: "number", number: 2 })
    await sends(textOf("under its number"), { kind: "number", number: 2 })
    await sends(textOf("between"), { kind: "number", number: 1 })
    await fixture.clock.pass(100)
    expect(new Set(await bob.texts("eve"))).toEqual(
      new Set(["hello", "held back", "under its number", "between"]),
    )
  })

  test("has another text under a used id told in one line, acknowledged and not shown [W-52]", async () => {
    const { fixture, eve, bob, sends } = await hostileContact()
    const id = randomBytes(8)
    const under = (words: string): Frame => ({
      ...textOf(words),
      kind: "text",
      id,
      time: 1,
      text: Buffer.from(words),
    })
    await sends(under("I owe you ten"), { kind: "number", number: 1 })
    const messages = fixture.broker.seen.length
    await sends(under("I owe you one"), { kind: "number", number: 2 })
    expect(fixture.broker.seen.length).toBe(messages + 1)
    expect(await bob.texts("eve")).toEqual(["hello", "I owe you ten"])
    expect(await bob.systemMessages("eve")).toEqual([
      "eve sent another text under the id of an earlier one; it is not shown",
    ])
    await sends(under("I owe you ten"), { kind: "number", number: 3 })
    expect(await bob.systemMessages("eve")).toHaveLength(1)
    const shown = bob.events.flatMap((event) => (event.kind === "message" ? [event.message.text] : []))
    expect(shown.filter((text) => text === "I owe you ten")).toHaveLength(1)
    expect(eve.name).toBe("eve")
  })

  test("cannot put a text under the id of one of Bob's, which he would delete in its place [D-60]", async () => {
    const { bob, sends } = await hostileContact()
    const [bobs] = (await bob.client.call("history", { contact: "eve", limit: 10 })).filter(
      ({ mine }) => mine,
    )
    const id = fromHex(bobs?.id ?? "")
    for (const [number, words] of [
      [1, "I owe you one"],
      [2, "hello, Eve"],
    ] as const)
      await sends(
        { kind: "text", id, time: 1, text: new Uint8Array(Buffer.from(words)) },
        { kind: "number", number },
      )
    const found = await bob.client.call("find", { id: bobs?.id ?? "" })
    expect(found.map(({ mine, text }) => [mine, text])).toEqual([[true, "hello, Eve"]])
    expect(await bob.systemMessages("eve")).toEqual(
      Array.from(
        { length: 2 },
        () => "eve sent another text under the id of an earlier one; it is not shown",
      ),
    )
  })
})

test("a text is reported as delivered before it is reported as read [D-25]", async () => {
  const fixture = new EngineFixture()
  const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
  await fixture.pair(alice, bob)
  await bob.client.call("privacy", {
    contact: "alice",
    readReceipts: true,
    typingIndicators: false,
    receiptDelayMs: 0,
  })
  await alice.send("bob", "are you there?")
  bob.client.listen((event) => {
    if (event.kind !== "message" || event.message.mine) return
    void bob.client.call("mark-read", { contact: "alice", upTo: event.message.seq })
  })
  await fixture.clock.pass(1_000)
  const states = alice.events.flatMap((event) => (event.kind === "receipt" ? [event.state] : []))
  expect(states).toEqual(["broker", "delivered", "read"])
})

test("who asks again and again gets a text no sooner than half a second after the last time [D-22]", async () => {
  const { fixture, eve, bob, sends } = await hostileContact()
  const before = fixture.broker.seen.length
  const copies = () =>
    fixture.broker.seen.slice(before).filter(({ topic }) => topic.includes(eve.deviceId)).length
  await bob.send("eve", "hello again")
  await fixture.clock.pass(50)
  expect(copies()).toBe(1)
  for (let asked = 0; asked < 4; asked++) await sends({ kind: "again", numbers: [1] })
  expect(copies()).toBe(1)
  await fixture.clock.pass(100)
  await sends({ kind: "again", numbers: [1] })
  expect(copies()).toBe(2)
})
