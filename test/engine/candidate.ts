import { systemRandom } from "../../src/crypto/random.ts"
import { seal } from "../../src/session/ratchet.ts"
import { decodeSession } from "../../src/session/snapshot.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { EngineFixture, lastMessageTo, type TestProfile } from "./engine-fixture.ts"
import { snapshotsIn } from "./loaded.ts"

/** Someone who says that they are Bob with new keys; Alice has let them take his place, and has compared nothing. */
export type Candidate = {
  readonly fixture: EngineFixture
  readonly alice: TestProfile
  readonly bob: TestProfile
  readonly candidate: TestProfile
  /** Frames in one message of the candidate's, from a modified program. */
  readonly injects: (...frames: Frame[]) => Promise<void>
  /** What was published to the candidate's device since it took the place. */
  readonly reached: () => number
}

/** Before the replacement Bob is gone, and Alice does `before`. */
export async function replacedContact(
  before: (profiles: { alice: TestProfile; bob: TestProfile }) => Promise<void> = () => Promise.resolve(),
): Promise<Candidate> {
  const fixture = new EngineFixture()
  const alice = await fixture.profile("alice")
  const bob = await fixture.profile("bob")
  const candidate = await fixture.profile("bob")
  await fixture.pair(alice, bob)
  await bob.send("alice", "old times")
  await fixture.clock.pass(100)
  await bob.crash()
  await before({ alice, bob })
  await fixture.pair(alice, candidate)
  await candidate.send("alice", "it is me")
  await alice.send("bob-2", "is it?")
  await fixture.clock.pass(100)
  await alice.client.call("privacy", {
    contact: "bob",
    readReceipts: true,
    typingIndicators: true,
    receiptDelayMs: 0,
  })
  await alice.client.call("replace", { contact: "bob", newContact: "bob-2" })
  await fixture.clock.pass(100)
  const start = fixture.broker.seen.length
  const reached = (): number =>
    fixture.broker.seen.slice(start).filter(({ topic }) => topic.includes(candidate.deviceId)).length
  return { fixture, alice, bob, candidate, injects: await injector(fixture, alice, candidate), reached }
}

async function injector(
  fixture: EngineFixture,
  alice: TestProfile,
  candidate: TestProfile,
): Promise<Candidate["injects"]> {
  const { topic } = lastMessageTo(fixture, alice)
  const [snapshot] = (await snapshotsIn(candidate.store)).values()
  let session = snapshot && decodeSession(snapshot)
  return async (...frames) => {
    const sealed = session && seal(session, frames, systemRandom)
    if (sealed?.kind !== "sealed") throw new Error("the candidate has no session")
    session = sealed.next
    fixture.broker.inject(topic, sealed.wire)
    await fixture.clock.pass(100)
  }
}
