import { expect, test } from "vitest"

import { toHex } from "../../src/crypto/bytes.ts"
import { INIT_BYTES } from "../../src/session/handshake.ts"
import { encodeIdentity } from "../../src/wire/identity.ts"
import { EngineFixture, type TestProfile } from "../engine/engine-fixture.ts"
import { copyDisk, rollBackDisk } from "./disks.ts"

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

type PairedUsers = {
  readonly fixture: EngineFixture
  readonly first: TestProfile
  readonly second: TestProfile
}

/** Two contacts. The handshake of the first counts when both begin at once: hers is the smaller identity. */
async function pairedUsers(): Promise<PairedUsers> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await fixture.clock.pass(50)
  const [first, second] = identity(alice) < identity(bob) ? [alice, bob] : [bob, alice]
  await exchange({ fixture, first, second }, "hello")
  return { fixture, first, second }
}

function identity(profile: TestProfile): string {
  return toHex(encodeIdentity(profile.identity.public))
}

async function exchange({ fixture, first, second }: PairedUsers, text: string): Promise<void> {
  for (const [from, to] of [
    [first, second],
    [second, first],
  ] as const) {
    await from.send(to.name, text)
    await fixture.clock.pass(50)
  }
}

async function expectConversation(it: PairedUsers): Promise<void> {
  const { fixture, first, second } = it
  await exchange(it, "here we are again")
  await fixture.clock.pass(HOUR_MS)
  for (const [from, to] of [
    [first, second],
    [second, first],
  ] as const) {
    expect((await to.texts(from.name)).at(-1)).toBe("here we are again")
    expect((await from.states(to.name)).at(-1)).toBe("delivered")
  }
}

test.each(["first", "second"] as const)(
  "two recoveries before the other side answers are answered (the %s)",
  async (who) => {
    const it = await pairedUsers()
    const [self, peer] = who === "first" ? [it.first, it.second] : [it.second, it.first]
    it.fixture.broker.tamper = () => []
    await self.client.call("reset", { contact: peer.name })
    await it.fixture.clock.pass(1_000)
    await self.client.call("reset", { contact: peer.name })
    it.fixture.broker.tamper = (_topic, payload) => [payload]
    await it.fixture.clock.pass(10_000)
    await expectConversation(it)
    expect(await peer.systemMessages(self.name)).toHaveLength(1)
  },
)

const isInit = (payload: Uint8Array): boolean => payload.length === INIT_BYTES

test("an INIT that was given up for a later one and comes after it does no harm for long", async () => {
  const it = await pairedUsers()
  const { fixture, first, second } = it
  const inits: Uint8Array[] = []
  let to = ""
  fixture.broker.tamper = (topic, payload) => {
    if (!isInit(payload)) return []
    to = topic
    inits.push(payload)
    return []
  }
  await first.client.call("reset", { contact: second.name })
  await fixture.clock.pass(100)
  await first.client.call("reset", { contact: second.name })
  await fixture.clock.pass(100)
  // The WELCOME to the second is lost; then comes the first.
  fixture.broker.inject(to, inits[1]!)
  await fixture.clock.pass(100)
  fixture.broker.inject(to, inits[0]!)
  await fixture.clock.pass(100)
  fixture.broker.tamper = (_topic, payload) => [payload]
  await fixture.clock.pass(2 * HOUR_MS)
  await expectConversation(it)
})

test.each(["first", "second"] as const)(
  "a disk that is put back to the middle of a recovery heals (the %s's)",
  async (who) => {
    const it = await pairedUsers()
    const { fixture } = it
    const [self, peer] = who === "first" ? [it.first, it.second] : [it.second, it.first]
    fixture.broker.tamper = () => []
    await self.client.call("reset", { contact: peer.name })
    await fixture.clock.pass(100)
    await copyDisk(self)
    fixture.broker.tamper = (_topic, payload) => [payload]
    await fixture.clock.pass(10_000)
    for (let n = 0; n < 3; n++) await exchange(it, `number ${n}`)
    await rollBackDisk(self)
    await self.send(peer.name, "what was it you said?")
    await peer.send(self.name, "are you there?")
    await fixture.clock.pass(2 * HOUR_MS)
    await expectConversation(it)
  },
)

test("two sides that have accepted each other's INIT recover", async () => {
  const it = await pairedUsers()
  const { fixture, first, second } = it
  const held: { topic: string; payload: Uint8Array }[] = []
  fixture.broker.tamper = (topic, payload) => {
    if (!isInit(payload) || !topic.includes(second.deviceId)) return [payload]
    held.push({ topic, payload })
    return []
  }
  await first.client.call("reset", { contact: second.name })
  await second.client.call("reset", { contact: first.name })
  await fixture.clock.pass(7_000)
  fixture.broker.tamper = (_topic, payload) => [payload]
  for (const { topic, payload } of held) fixture.broker.inject(topic, payload)
  await fixture.clock.pass(2 * HOUR_MS)
  await expectConversation(it)
})

test("short-lived processes also notice that a disk was put back", async () => {
  const it = await pairedUsers()
  const { fixture, first, second } = it
  await copyDisk(first)
  for (let n = 0; n < 10; n++) await exchange(it, `number ${n}`)
  await rollBackDisk(first)
  await second.stop()
  for (let n = 0; n < 3; n++) {
    await first.send(second.name, `unheard ${n}`)
    await fixture.clock.pass(50)
    await first.stop()
    await second.start()
    await fixture.clock.pass(50)
    await second.stop()
    await first.start()
  }
  await second.start()
  await fixture.clock.pass(1_000)
  expect((await second.texts(first.name)).slice(-3)).toEqual(["unheard 0", "unheard 1", "unheard 2"])
})
