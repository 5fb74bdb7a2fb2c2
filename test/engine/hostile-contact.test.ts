import { randomBytes } from "node:crypto"
import { describe, expect, test } from "vitest"
import type { Frame } from "../../src/wire/frame.ts"
import { EngineFixture } from "./engine-fixture.ts"
import { hostileContact } from "./hostile-contact.ts"

const textOf = (text: string): Frame => {
  return { kind: "text", id: randomBytes(8), time: 1, text: new TextEncoder().encode(text) }
}
const LAST = 0xffff_ffff

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

  test("cannot make us answer a thousand requests for one message [D-25]", async () => {
    const { fixture, bob, sends } = await hostileContact()
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
