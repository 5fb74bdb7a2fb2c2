import { describe, expect, test } from "vitest"
import { systemRandom } from "../../src/crypto/random.ts"
import { seal } from "../../src/session/ratchet.ts"
import { decodeSession } from "../../src/session/snapshot.ts"
import type { Speaking } from "../../src/session/state.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { Town, type Person } from "./people.ts"

/** Eve is a contact of Bob's whose program is her own: she may say whatever the wire can carry. */
async function couple(): Promise<{ town: Town; bob: Person; says: (...frames: Frame[]) => Promise<void> }> {
  const town = new Town()
  const eve = await town.person("eve")
  const bob = await town.person("bob")
  await town.pair(eve, bob)
  await eve.send("bob", "hello")
  await bob.send("eve", "hello, Eve")
  await town.clock.pass(1_000)
  const { topic } = town.office.seen.findLast((letter) => letter.topic.includes(bob.deviceId)) ?? {
    topic: "",
  }
  const [snapshot] = (await eve.store.load()).snapshots.values()
  let session = snapshot && decodeSession(snapshot)
  await eve.stop()
  const says = async (...frames: Frame[]): Promise<void> => {
    const sealed = session && seal(session, frames, systemRandom)
    if (sealed?.kind !== "sealed") throw new Error("Eve has no session")
    session = sealed.next satisfies Speaking
    town.office.forge(topic, sealed.wire)
    await town.clock.pass(100)
  }
  return { town, bob, says }
}

const textOf = (text: string): Frame => {
  return { kind: "text", time: 1, replyTo: undefined, text: new TextEncoder().encode(text) }
}
const LAST = 0xffff_ffff

describe("a contact whose program is her own", () => {
  test("cannot end ours with the last number that there is, now or at the next start", async () => {
    const { town, bob, says } = await couple()
    await says(textOf("the last"), { kind: "number", number: LAST })
    await town.clock.pass(120_000)
    expect(await bob.texts("eve")).toEqual(["hello", "the last"])
    await bob.stop()
    await bob.start()
    await town.clock.pass(120_000)
    await says(textOf("behind the last"), { kind: "number", number: LAST })
    expect(await bob.texts("eve")).toEqual(["hello", "the last", "behind the last"])
  })

  test("cannot make us answer a thousand questions of one message [D-25]", async () => {
    const { town, bob, says } = await couple()
    const letters = town.office.seen.length
    await says(...Array.from({ length: 1_000 }, (): Frame => ({ kind: "again", numbers: [0] })))
    expect(town.office.seen.length).toBeLessThan(letters + 5)
    expect(await bob.texts("eve")).toEqual(["hello"])
  })
})

test("what was read is told to have arrived before, though its receipt rides behind [D-25]", async () => {
  const town = new Town()
  const [alice, bob] = [await town.person("alice"), await town.person("bob")]
  await town.pair(alice, bob)
  await bob.client.call("privacy", { contact: "alice", readReceipts: true, typing: false, receiptDelayMs: 0 })
  await alice.send("bob", "are you there?")
  bob.client.listen((event) => {
    if (event.event !== "message" || event.message.mine) return
    void bob.client.call("shown", { with: "alice", upTo: event.message.seq })
  })
  await town.clock.pass(1_000)
  const told = alice.events.flatMap((event) => (event.event === "receipt" ? [event.state] : []))
  expect(told).toEqual(["broker", "delivered", "read"])
})
