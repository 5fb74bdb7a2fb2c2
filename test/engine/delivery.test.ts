import { describe, expect, test } from "vitest"

import { toHex } from "../../src/crypto/bytes.ts"
import { INIT_BYTES } from "../../src/session/handshake.ts"
import { encodeIdentity } from "../../src/wire/identity.ts"
import { couple, EngineFixture, lastMessageTo, type TestProfile } from "./engine-fixture.ts"
import type { FakeBroker } from "./fake-broker.ts"
import { hostileContact } from "./hostile-contact.ts"

const MINUTE_MS = 60_000

function framesTo(fixture: EngineFixture, profile: TestProfile): number {
  return fixture.broker.seen.filter(({ topic }) => topic.includes(profile.deviceId)).length
}

async function dropped(profile: TestProfile): Promise<number> {
  return (await profile.client.call("status", {})).dropped
}

async function conversation() {
  const { fixture, alice, bob } = await couple()
  await alice.send("bob", "hello")
  await fixture.clock.pass(50)
  await bob.send("alice", "hello yourself")
  await fixture.clock.pass(50)
  return { fixture, alice, bob }
}

test("a command that ends at once sends the receipts that wait, also those that would hide for a minute", async () => {
  const { fixture, alice, bob } = await conversation()
  const privacy = { readReceipts: false, typingIndicators: false, receiptDelayMs: MINUTE_MS }
  await bob.client.call("privacy", { contact: "alice", ...privacy })
  await alice.send("bob", "did it arrive?")
  await fixture.clock.pass(6)
  expect(await bob.texts("alice")).toContain("did it arrive?")
  expect(await alice.states("bob")).toEqual(["delivered", "broker"])
  await bob.stop()
  expect(await alice.states("bob")).toEqual(["delivered", "delivered"])
})

describe("a text that the peer asks for", () => {
  test("goes once more when it was published half a second ago, and not while it is on its way", async () => {
    const { fixture, bob, eve, sends } = await hostileContact()
    await bob.send("eve", "unheard")
    await fixture.clock.pass(10)
    const before = framesTo(fixture, eve)
    await sends({ kind: "again", numbers: [1] })
    expect(framesTo(fixture, eve)).toBe(before)
    await fixture.clock.pass(500)
    await sends({ kind: "again", numbers: [1] })
    expect(framesTo(fixture, eve)).toBe(before + 1)
    await sends({ kind: "again", numbers: [1] })
    expect(framesTo(fixture, eve)).toBe(before + 1)
  })

  test("goes alone, and for one that was never sent comes no answer", async () => {
    const { fixture, bob, eve, sends } = await hostileContact()
    await bob.send("eve", "unheard")
    await bob.send("eve", "unheard too")
    await fixture.clock.pass(1_000)
    const before = framesTo(fixture, eve)
    await sends({ kind: "again", numbers: [2, 3, 4] })
    expect(framesTo(fixture, eve)).toBe(before + 1)
  })
})

/** Loses the first frame to Bob from now on. */
function loseFirst(fixture: EngineFixture, bob: TestProfile): void {
  let frames = 0
  fixture.broker.tamper = (topic, payload) =>
    topic.includes(bob.deviceId) && frames++ === 0 ? [] : [payload]
}

describe("[D-23] a receipt", () => {
  test("for a text that comes alone waits for nothing, and those for a burst leave together", async () => {
    const { fixture, alice, bob } = await conversation()
    const alone = framesTo(fixture, alice)
    await alice.send("bob", "alone")
    await fixture.clock.pass(0)
    expect(framesTo(fixture, alice) - alone).toBe(1)
    const burst = framesTo(fixture, alice)
    await Promise.all(Array.from({ length: 20 }, (_, n) => alice.send("bob", `burst ${n}`)))
    await fixture.clock.pass(5)
    expect(await bob.texts("alice")).toHaveLength(22)
    expect(framesTo(fixture, alice) - burst).toBeLessThanOrEqual(3)
  })
})

describe("a gap", () => {
  test("is asked for a second after it opened, though more texts come all the time", async () => {
    const { fixture, alice, bob } = await conversation()
    loseFirst(fixture, bob)
    const before = framesTo(fixture, alice)
    for (let n = 0; n < 4; n++) {
      await alice.send("bob", `text ${n}`)
      await fixture.clock.pass(400)
    }
    expect((await bob.texts("alice")).slice(1)).toEqual(["text 0", "text 1", "text 2", "text 3"])
    // Three receipts, one request, and the receipt for what was asked for.
    expect(framesTo(fixture, alice) - before).toBe(5)
  })

  test("is asked for after 1, 6, 21 and 51 seconds, and shown ten seconds later", async () => {
    const { fixture, alice, bob } = await conversation()
    loseFirst(fixture, bob)
    await alice.send("bob", "lost")
    await alice.send("bob", "kept")
    await fixture.clock.pass(50)
    await alice.crash()
    const start = fixture.clock.now() - 50
    const asked: number[] = []
    fixture.broker.tamper = () => {
      asked.push(Math.floor((fixture.clock.now() - start) / 1_000))
      return []
    }
    await fixture.clock.pass(60_000)
    expect(asked).toEqual([1, 6, 21, 51])
    expect(await bob.systemMessages("alice")).toEqual([])
    await fixture.clock.pass(2_000)
    expect(await bob.systemMessages("alice")).toEqual(["1 message from alice did not arrive"])
    expect((await bob.texts("alice")).slice(1)).toEqual(["kept"])
  })

  test("that has waited long in an earlier process is asked for but once more", async () => {
    const { fixture, alice, bob } = await conversation()
    loseFirst(fixture, bob)
    await alice.send("bob", "lost")
    await alice.send("bob", "kept")
    await fixture.clock.pass(50)
    await alice.crash()
    await bob.crash()
    await fixture.clock.pass(2 * MINUTE_MS)
    await bob.start()
    const before = framesTo(fixture, alice)
    await fixture.clock.pass(38_000)
    expect(await bob.systemMessages("alice")).toEqual([])
    await fixture.clock.pass(3_000)
    expect(framesTo(fixture, alice)).toBe(before + 1)
    expect(await bob.systemMessages("alice")).toEqual(["1 message from alice did not arrive"])
  })
})

test("an INIT that the broker delivers again and again is none that came by chance", async () => {
  const { fixture, alice, bob } = await conversation()
  const before = fixture.broker.seen.length
  await alice.client.call("reset", { contact: "bob" })
  await fixture.clock.pass(5)
  const init = fixture.broker.seen.slice(before).find(({ payload }) => payload.length === INIT_BYTES)
  if (init === undefined) throw new Error("Alice began nothing")
  const [unmatched, answered] = [await dropped(bob), framesTo(fixture, alice)]
  for (let n = 0; n < 3; n++) {
    fixture.broker.inject(init.topic, init.payload)
    await fixture.clock.pass(5)
  }
  expect(await dropped(bob)).toBe(unmatched)
  await fixture.clock.pass(MINUTE_MS)
  expect(await bob.systemMessages("alice")).toEqual(["the connection with alice was renewed"])
  expect(framesTo(fixture, alice) - answered).toBeLessThanOrEqual(2)
})

describe("frames that carried no text", () => {
  const REMEMBERED = 64

  test.each([
    ["are known by their last 64 when they come again", { kind: "typing", typing: true }],
    ["and are owed a receipt get it again", { kind: "timer", seconds: 60, setAt: 1 }],
  ] as const)("%s", async (_what, frame) => {
    const { fixture, bob, topic, sends } = await hostileContact()
    const wires: Uint8Array[] = []
    const inject = fixture.broker.inject.bind(fixture.broker)
    fixture.broker.inject = (to, wire) => {
      if (to === topic) wires.push(wire)
      inject(to, wire)
    }
    for (let n = 0; n < REMEMBERED + 1; n++) await sends(frame)
    const sent = wires.splice(0)
    const before = await dropped(bob)
    for (const wire of sent.slice(1)) fixture.broker.inject(topic, wire)
    await fixture.clock.pass(100)
    expect(await dropped(bob)).toBe(before)
    for (const wire of sent.slice(0, 1)) fixture.broker.inject(topic, wire)
    await fixture.clock.pass(100)
    expect(await dropped(bob)).toBe(before + 1)
  })
})

/** Before an INIT that nobody understood is repeated, so that the other side begins by itself. */
const AT_ONCE_MS = 1_000

/** The connection is renewed twice from here and twice from there, and each time both are understood. */
async function expectRecoveries(fixture: EngineFixture, one: TestProfile, other: TestProfile): Promise<void> {
  const turns = [one, one, other, other]
  for (const [turn, from] of turns.entries()) {
    const to = from === one ? other : one
    await from.client.call("reset", { contact: to.name })
    await from.send(to.name, `begun ${turn}`)
    await fixture.clock.pass(AT_ONCE_MS)
    expect(await to.texts(from.name)).toContain(`begun ${turn}`)
    await to.send(from.name, `heard ${turn}`)
    await fixture.clock.pass(AT_ONCE_MS)
    expect(await from.texts(to.name)).toContain(`heard ${turn}`)
  }
}

const identityOf = ({ identity }: TestProfile) => toHex(encodeIdentity(identity.public))

describe("after a connection was renewed", () => {
  test("either can make it anew again", async () => {
    const { fixture, alice, bob } = await conversation()
    await expectRecoveries(fixture, alice, bob)
  })

  test.each(["whose handshake counted", "whose handshake did not"])(
    "by both at once, the one %s can make it anew again",
    async (who) => {
      const { fixture, alice, bob } = await conversation()
      await Promise.all([
        alice.client.call("reset", { contact: "bob" }),
        bob.client.call("reset", { contact: "alice" }),
      ])
      await fixture.clock.pass(MINUTE_MS)
      const isAlices = identityOf(alice) < identityOf(bob)
      const isAliceFirst = isAlices === (who === "whose handshake counted")
      await (isAliceFirst ? expectRecoveries(fixture, alice, bob) : expectRecoveries(fixture, bob, alice))
    },
  )

  test("its secret lies in one place", async () => {
    const { fixture, alice } = await conversation()
    await alice.client.call("reset", { contact: "bob" })
    await alice.send("bob", "begun")
    await fixture.clock.pass(MINUTE_MS)
    const { devices } = await alice.store.load()
    expect(devices.map(({ nextRecoverySecret }) => nextRecoverySecret.length)).toEqual([0])
    expect(devices.map(({ recoverySecret }) => recoverySecret.length)).toEqual([32])
  })
})

test("catching up waits for its own echo, not for an older one that was still in the queue", async () => {
  const { fixture, bob } = await conversation()
  await bob.client.call("catch-up", {})
  const { topic, payload } = lastMessageTo(fixture, bob)
  let echo: Uint8Array | undefined
  fixture.broker.tamper = (to, wire) => {
    if (to !== topic) return [wire]
    echo = wire
    return [payload]
  }
  let isDone = false
  const done = bob.client.call("catch-up", {}).then(() => (isDone = true))
  await fixture.clock.pass(1_000)
  expect(isDone).toBe(false)
  if (echo === undefined) throw new Error("nothing was sent")
  fixture.broker.inject(topic, echo)
  await fixture.clock.pass(10)
  await done
})

test("catching up ends after five seconds with a broker that brings no echo", async () => {
  const { fixture, bob } = await conversation()
  fixture.broker.tamper = () => []
  let isDone = false
  const done = bob.client.call("catch-up", {}).finally(() => (isDone = true))
  await fixture.clock.pass(4_900)
  expect(isDone).toBe(false)
  await fixture.clock.pass(200)
  expect(isDone).toBe(true)
  expect(await done).toEqual({ isComplete: false })
})

/** The connection breaks with the message, which is lost. */
const closing = (broker: FakeBroker) => (): [] => {
  broker.close()
  return []
}

test.for([
  ["brings no echo", (broker: FakeBroker) => (broker.tamper = () => [])],
  ["does not take it", (broker: FakeBroker) => (broker.refuses = () => true)],
  ["goes away with it", (broker: FakeBroker) => (broker.tamper = closing(broker))],
] as const)("catching up leaves no subscription behind at a broker that %s", async ([, disturb]) => {
  const { fixture, bob } = await conversation()
  const { topics } = fixture.broker.session(bob.deviceId)
  const before = [...topics]
  const done = bob.client.call("catch-up", {})
  disturb(fixture.broker)
  await fixture.clock.pass(6_000)
  expect(await done).toEqual({ isComplete: false })
  fixture.broker.reopen()
  await fixture.clock.pass(1_000)
  expect([...topics]).toEqual(before)
})

test("catching up goes on while the broker brings frames, however long all of them take", async () => {
  const { fixture, alice, bob } = await conversation()
  await bob.client.call("catch-up", {})
  const { topic } = lastMessageTo(fixture, bob)
  let echo: Uint8Array | undefined
  fixture.broker.tamper = (to, wire) => {
    if (to !== topic) return [wire]
    echo = wire
    return []
  }
  let isDone = false
  const done = bob.client.call("catch-up", {}).finally(() => (isDone = true))
  for (let text = 0; text < 5; text++) {
    await fixture.clock.pass(4_000)
    await alice.send("bob", `slow ${text}`)
  }
  await fixture.clock.pass(4_000)
  expect(isDone).toBe(false)
  if (echo === undefined) throw new Error("nothing was sent")
  fixture.broker.inject(topic, echo)
  await fixture.clock.pass(10)
  expect(await done).toEqual({ isComplete: true })
})

test("several that catch up at once all get their answer", async () => {
  const { fixture, bob } = await conversation()
  const all = Promise.all([1, 2, 3].map(() => bob.client.call("catch-up", {})))
  await fixture.clock.pass(100)
  const one = { isComplete: true }
  expect(await all).toEqual([one, one, one])
})

test("only the messages that were shown are marked as read", async () => {
  const { fixture, alice, bob } = await conversation()
  await bob.client.call("inbox", { markRead: true })
  for (const text of ["one", "two", "three"]) await alice.send("bob", text)
  await fixture.clock.pass(50)
  const [, two] = (await bob.client.call("inbox", { markRead: false })).slice(-3)
  if (two === undefined) throw new Error("nothing has come")
  await bob.client.call("mark-read", { contact: "alice", after: two.seq - 1, upTo: two.seq })
  const texts = async (page: object): Promise<unknown> =>
    (await bob.client.call("inbox", { markRead: false, ...page })).map(({ text }) => text)
  expect(await texts({})).toEqual(["one", "three"])
  expect(await texts({ after: two.seq })).toEqual(["three"])
  expect(await texts({ limit: 1 })).toEqual(["one"])
})
