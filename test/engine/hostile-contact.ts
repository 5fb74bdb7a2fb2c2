import type { ChainLink } from "../../src/account/chain-link.ts"
import { ownLinksOf } from "./account-frames.ts"
import type { Ports } from "../../src/engine/state/ports.ts"
import type { UnverifiedLimits } from "../../src/engine/state/limits.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { messageKeyOf, tagIn } from "../../src/session/chain.ts"
import { sealMessage } from "../../src/session/message.ts"
import { seal } from "../../src/session/ratchet.ts"
import { decodeSession } from "../../src/session/snapshot.ts"
import type { Speaking } from "../../src/session/state.ts"
import type { DeviceRecord } from "../../src/store/records.ts"
import type { Frame } from "../../src/wire/frame.ts"
import { MESSAGE_OVERHEAD } from "../../src/wire/padding.ts"
import { lastMessageTo, EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { snapshotsIn } from "./loaded.ts"

type HostileContact = {
  readonly fixture: EngineFixture
  readonly eve: TestProfile
  readonly bob: TestProfile
  /** What Eve's store said of Bob's device, its secrets too. */
  readonly about: DeviceRecord
  /** Of her own account. */
  readonly links: readonly ChainLink[]
  /** Where she writes to him. */
  readonly topic: string
  /** Frames in one message, which nothing is waited for. */
  readonly injects: (...frames: Frame[]) => void
  readonly sends: (...frames: Frame[]) => Promise<void>
  /** Any bytes as the padded frames of a message. */
  readonly sendsBytes: (padded: Uint8Array) => Promise<void>
}

/** In the place of the next message, which can still be sent: who refuses these bytes has not moved on. */
export function sealBytes({ own, sending, transcript }: Speaking, padded: Uint8Array): Uint8Array {
  const wire = new Uint8Array(MESSAGE_OVERHEAD + padded.length)
  wire.set(padded, MESSAGE_OVERHEAD)
  const { headerKey, chainKey, tags, sent, previous, kem } = sending
  const keys = { transcript, headerKey, messageKey: messageKeyOf(chainKey) }
  sealMessage(wire, keys, tagIn(tags, sent), { ratchetKey: own.publicKey, previous, n: sent, kem })
  return wire
}

/** Eve is a contact of Bob's with a modified program: she may send any frame that can be encoded. */
export async function hostileContact(
  unverifiedLimits?: UnverifiedLimits,
  ports: Partial<Ports> = {},
): Promise<HostileContact> {
  const fixture = new EngineFixture()
  const eve = await fixture.profile("eve")
  const bob = await fixture.profile("bob", {
    ...ports,
    ...(unverifiedLimits && { unverifiedLimits: () => unverifiedLimits }),
  })
  await fixture.pair(eve, bob)
  await eve.send("bob", "hello")
  await bob.send("eve", "hello, Eve")
  await fixture.clock.pass(1_000)
  const { topic } = lastMessageTo(fixture, bob)
  const { devices } = await eve.store.load()
  const snapshots = await snapshotsIn(eve.store)
  const [[snapshot], [about]] = [snapshots.values(), devices]
  if (about === undefined) throw new Error("Eve knows nobody")
  const links = await ownLinksOf(eve)
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
  const sendsBytes = async (padded: Uint8Array): Promise<void> => {
    if (session?.kind !== "speaking") throw new Error("Eve has said nothing yet")
    fixture.broker.inject(topic, sealBytes(session, padded))
    await fixture.clock.pass(100)
  }
  return { sendsBytes, fixture, eve, bob, about, links, topic, injects, sends }
}
