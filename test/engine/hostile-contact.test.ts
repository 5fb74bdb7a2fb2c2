import { describe, expect, test } from "vitest"
import { systemRandom } from "../../src/crypto/random.ts"
import { seal } from "../../src/session/ratchet.ts"
import { decodeSession } from "../../src/session/snapshot.ts"
import type { Speaking } from "../../src/session/state.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { lastMessageTo, EngineFixture, type TestProfile } from "./engine-fixture.ts"

/** Eve is a contact of Bob's with a modified program: she may send any frame that can be encoded. */
async function couple(): Promise<{
  fixture: EngineFixture
  bob: TestProfile
  sends: (...frames: Frame[]) => Promise<void>
}> {
  const fixture = new EngineFixture()
  const eve = await fixture.profile("eve")
  const bob = await fixture.profile("bob")
  await fixture.pair(eve, bob)
  await eve.send("bob", "hello")
  await bob.send("eve", "hello, Eve")
  await fixture.clock.pass(1_000)
  const { topic } = lastMessageTo(fixture, bob)
  const [snapshot] = (await eve.store.load()).snapshots.values()
  let session = snapshot && decodeSession(snapshot)
  await eve.stop()
  const sends = async (...frames: Frame[]): Promise<void> => {
    const sealed = session && seal(session, frames, systemRandom)
    if (sealed?.kind !== "sealed") throw new Error("Eve has no session")
    session = sealed.next satisfies Speaking
    fixture.broker.inject(topic, sealed.wire)
    await fixture.clock.pass(100)
  }
  return { fixture, bob, sends }
}

const textOf = (text: string): Frame => {
  return { kind: "text", time: 1, replyTo: undefined, text: new TextEncoder().encode(text) }
}
const LAST = 0xffff_ffff

describe("a contact with a modified program", () => {
  test("cannot crash ours with the largest number, now or at the next start", async () => {
    const { fixture, bob, sends } = await couple()
    await sends(textOf("the last"), { kind: "number", number: LAST })
    await fixture.clock.pass(120_000)
    expect(await bob.texts("eve")).toEqual(["hello", "the last"])
    await bob.stop()
    await bob.start()
    await fixture.clock.pass(120_000)
    await sends(textOf("behind the last"), { kind: "number", number: LAST })
    expect(await bob.texts("eve")).toEqual(["hello", "the last", "behind the last"])
  })

  test("cannot make us answer a thousand requests for one message [D-25]", async () => {
    const { fixture, bob, sends } = await couple()
    const messages = fixture.broker.seen.length
    await sends(...Array.from({ length: 1_000 }, (): Frame => ({ kind: "again", numbers: [0] })))
    expect(fixture.broker.seen.length).toBeLessThan(messages + 5)
    expect(await bob.texts("eve")).toEqual(["hello"])
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
