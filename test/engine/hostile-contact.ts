import type { UnverifiedLimits } from "../../src/engine/state/limits.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { seal } from "../../src/session/ratchet.ts"
import { decodeSession } from "../../src/session/snapshot.ts"
import type { Speaking } from "../../src/session/state.ts"
import type { DeviceRecord } from "../../src/store/records.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { lastMessageTo, EngineFixture, type TestProfile } from "./engine-fixture.ts"

type HostileContact = {
  readonly fixture: EngineFixture
  readonly eve: TestProfile
  readonly bob: TestProfile
  /** What Eve's store said of Bob's device, its secrets too. */
  readonly about: DeviceRecord
  /** Where she writes to him. */
  readonly topic: string
  /** Frames in one message, which nothing is waited for. */
  readonly injects: (...frames: Frame[]) => void
  readonly sends: (...frames: Frame[]) => Promise<void>
}

/** Eve is a contact of Bob's with a modified program: she may send any frame that can be encoded. */
export async function hostileContact(unverifiedLimits?: UnverifiedLimits): Promise<HostileContact> {
  const fixture = new EngineFixture()
  const eve = await fixture.profile("eve")
  const bob = await fixture.profile("bob", {
    ...(unverifiedLimits && { unverifiedLimits: () => unverifiedLimits }),
  })
  await fixture.pair(eve, bob)
  await eve.send("bob", "hello")
  await bob.send("eve", "hello, Eve")
  await fixture.clock.pass(1_000)
  const { topic } = lastMessageTo(fixture, bob)
  const { devices, snapshots } = await eve.store.load()
  const [[snapshot], [about]] = [snapshots.values(), devices]
  if (about === undefined) throw new Error("Eve knows nobody")
  let session = snapshot && decodeSession(snapshot)
  await eve.stop()
  const injects = (...frames: Frame[]): void => {
    const sealed = session && seal(session, frames, systemRandom)
    if (sealed?.kind !== "sealed") throw new Error("Eve has no session")
    session = sealed.next satisfies Speaking
    fixture.broker.inject(topic, sealed.wire)
  }
  const sends = async (...frames: Frame[]): Promise<void> => {
    injects(...frames)
    await fixture.clock.pass(100)
  }
  return { fixture, eve, bob, about, topic, injects, sends }
}
