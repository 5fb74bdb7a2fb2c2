import { randomBytes } from "node:crypto"
import type { ChainLink } from "../../src/account/chain-link.ts"
import { createLink } from "../../src/account/create.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { readArmour } from "../../src/pairing/armour.ts"
import { makeBundle, readBundle } from "../../src/session/bundle.ts"
import {
  initiate,
  type Initiation,
  linkPsk,
  MODE,
  recoveryPsk,
  type Established,
} from "../../src/session/handshake.ts"
import { open, seal } from "../../src/session/ratchet.ts"
import type { Session, Speaking } from "../../src/session/state.ts"
import type { Frame } from "../../src/wire/frame.ts"
import type { IdentityKeys } from "../../src/wire/identity.ts"
import { MESSAGE_OVERHEAD } from "../../src/wire/padding.ts"
import { inboxTopic, type Inbox } from "../../src/wire/topics.ts"
import { addOf, appended, byDevice, started } from "../account/account-fixture.ts"
import { chainFrameOf, helloFrames, type ShownAccount } from "./account-frames.ts"
import { EngineFixture, type TestProfile } from "./engine-fixture.ts"
import { sealBytes } from "./hostile-contact.ts"
import { fileOf } from "./hostile-pairing.ts"
import "../fastest-backend.ts"

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

/** A frame of a type that no version knows, in the smallest bucket. */
const UNKNOWN_FRAME = Uint8Array.from({ length: 256 - MESSAGE_OVERHEAD }, (_, at) => (at === 0 ? 0x70 : 0))

/** Somebody with a program of their own, who answers an offer of Bob's and then sends what they like. */
export class Client {
  readonly identity: IdentityKeys
  readonly inbox: Inbox = { device: randomBytes(16), mailbox: randomBytes(16) }
  #established: Established | undefined
  #session: Session | undefined

  readonly fixture: EngineFixture

  constructor(fixture: EngineFixture, identity = createIdentity(systemRandom)) {
    this.fixture = fixture
    this.identity = identity
  }

  recoveryBundle(owner = this.identity): Uint8Array {
    const notAfter = Math.floor(this.fixture.clock.now() / 1000) + 86_400
    const terms = { multiUse: false, recovery: true, inbox: this.inbox, notAfter }
    return makeBundle(owner, terms, systemRandom).bundle.bytes
  }

  /** Answers an offer by file; `frames` are the first ones. */
  async answers(owner: TestProfile, frames: readonly Frame[]): Promise<void> {
    const offer = await owner.client.call("pair-offer", { kind: "file", wordCount: 2 })
    if (offer.kind !== "file") throw new Error("not a file")
    const bundle = readBundle(readArmour(offer.file)!.bundle, this.fixture.clock.now() / 1000)!
    await this.#initiates({ bundle, psk: linkPsk(bundle.hash), mode: MODE.file, frames }, bundle.inbox)
  }

  /** Begins a session in place of the one before, by the recovery bundle of its WELCOME. */
  async recovers(bundleBytes: Uint8Array, frames: readonly Frame[]): Promise<void> {
    const { recoverySecret, peerInbox } = this.#established!
    const bundle = readBundle(bundleBytes, this.fixture.clock.now() / 1000)!
    const psk = recoveryPsk(bundle.hash, recoverySecret)
    await this.#initiates({ bundle, psk, mode: MODE.recovery, frames }, peerInbox)
  }

  async #initiates(
    terms: Pick<Initiation, "bundle" | "psk" | "mode" | "frames">,
    peerInbox: Inbox,
  ): Promise<void> {
    const initiated = initiate({ identity: this.identity, inbox: this.inbox, ...terms }, systemRandom)
    if (initiated.kind === "refused") throw new Error(initiated.why)
    this.#established = initiated.established
    this.#session = initiated.established.session
    this.fixture.broker.inject(inboxTopic(peerInbox), initiated.init)
    await this.fixture.clock.pass(200)
  }

  /** Bytes that fit no session, where the owner expects this client, as if it waited for a receipt. */
  async repeatsNonsense(): Promise<void> {
    const wire = systemRandom(256)
    for (let n = 0; n < 6; n++) {
      this.fixture.broker.inject(inboxTopic(this.#established!.peerInbox), wire)
      await this.fixture.clock.pass(4_000)
    }
  }

  shows(shown: ShownAccount, bundle = this.recoveryBundle()): readonly Frame[] {
    return helloFrames("carol", bundle, shown)
  }

  async sends(...frames: Frame[]): Promise<void> {
    this.injects(...frames)
    await this.fixture.clock.pass(200)
  }

  /** The same, which nothing is waited for. */
  injects(...frames: Frame[]): void {
    const before = this.#session!
    const isUnknown = frames.some(({ kind }) => kind === "unknown")
    const sealed = seal(before, isUnknown ? [{ kind: "nop" }] : frames, systemRandom)
    if (sealed.kind === "refused") throw new Error(sealed.why)
    this.#session = sealed.next
    const wire = isUnknown ? sealBytes(before as Speaking, UNKNOWN_FRAME) : sealed.wire
    this.fixture.broker.inject(inboxTopic(this.#established!.peerInbox), wire)
  }

  /** All frames that came since the last call. */
  received(): Frame[] {
    return this.receivedMessages().flat()
  }

  /** The same, of each message its own. */
  receivedMessages(): Frame[][] {
    const topic = inboxTopic(this.inbox)
    const messages: Frame[][] = []
    for (const message of this.fixture.broker.seen.filter((one) => one.topic === topic)) {
      const opened = open(this.#session!, message.payload, this.fixture.clock.now() / 1000)
      if (opened.kind === "refused") continue
      this.#session = opened.next
      messages.push([...opened.frames])
    }
    return messages
  }
}

export async function bobAlone(): Promise<{ fixture: EngineFixture; bob: TestProfile; carol: Client }> {
  const fixture = new EngineFixture()
  const bob = await fixture.profile("bob")
  return { fixture, bob, carol: new Client(fixture) }
}

export const linkOf = (identity: IdentityKeys) => createLink(identity, 1_800_000_000_000, systemRandom)
export const namesOf = async (profile: TestProfile) =>
  (await profile.client.call("contacts", {})).map(({ name }) => name)
export const devicesOf = async (profile: TestProfile) => (await profile.store.load()).devices.length
export const noticesOf = ({ events }: TestProfile) =>
  events.flatMap((event) => (event.kind === "notice" ? [event.text] : []))
export const textFrames = (text: string, number: number): Frame[] => [
  { kind: "text", id: new Uint8Array(randomBytes(8)), time: 1_800_000_000_000, text: Buffer.from(text) },
  { kind: "number", number },
]
export const restart = async (profile: TestProfile) => {
  await profile.stop()
  await profile.start()
}
export const isHello = ({ kind }: Frame) => kind === "hello"

/** An account of two devices, the first of which answers. */
export function twoDevices(
  identity: IdentityKeys,
  second = createIdentity(systemRandom),
): readonly ChainLink[] {
  const chain = started(linkOf(identity))
  return appended(chain, addOf(chain, second, byDevice(identity))).links
}

/** Carol is a contact with two devices, of which the first writes. */
export async function carolWithTwo() {
  const { fixture, bob, carol } = await bobAlone()
  const second = createIdentity(systemRandom)
  const chain = started(linkOf(carol.identity))
  const two = appended(chain, addOf(chain, second, byDevice(carol.identity)))
  await carol.answers(bob, carol.shows({ links: two.links }))
  carol.received()
  await carol.sends(chainFrameOf(two.accountId, two.links.slice(1)))
  const phone = new Client(fixture, second)
  await phone.answers(bob, phone.shows({ links: two.links }))
  phone.received()
  await phone.sends(chainFrameOf(two.accountId, two.links.slice(1)))
  return { fixture, bob, carol, phone, two }
}

/** Alice has answered a file of Bob's while he is away. */
export async function answeredWhileAway() {
  const fixture = new EngineFixture()
  const [alice, bob] = [await fixture.profile("alice"), await fixture.profile("bob")]
  const file = await fileOf(bob)
  await bob.stop()
  await alice.client.call("pair-answer", { kind: "file", offer: file })
  return { fixture, alice, bob }
}
