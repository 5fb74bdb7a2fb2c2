import { equal, type Psk } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { createIdentity } from "../../src/keystore/identity.ts"
import { armour, readArmour } from "../../src/pairing/armour.ts"
import { fourWords } from "../../src/pairing/words.ts"
import { makeBundle, readBundle, type OpenBundle } from "../../src/session/bundle.ts"
import {
  answer,
  commit,
  commitmentTo,
  newNonce,
  onOpening,
  onShare,
  wordsOf,
  type AccountHead,
  type Comparison,
} from "../../src/session/comparison.ts"
import { INIT_BYTES, initiate, initTag, linkPsk, MODE, respond } from "../../src/session/handshake.ts"
import { open, seal } from "../../src/session/ratchet.ts"
import type { Session } from "../../src/session/state.ts"
import type { Frame } from "../../src/wire/frame.ts"
import type { IdentityKeys } from "../../src/wire/identity.ts"
import { inboxTopic, type Inbox } from "../../src/wire/topics.ts"
import type { EngineFixture, TestProfile } from "./engine-fixture.ts"
import { accountOf } from "./hostile-account.ts"

type Hello = Extract<Frame, { kind: "hello" }>

/** A new file of this profile's. */
export async function fileOf(owner: TestProfile): Promise<string> {
  const offer = await owner.client.call("pair-offer", { kind: "file", wordCount: 2 })
  if (offer.kind !== "file") throw new Error("not a file")
  return offer.file
}

/** One side of a session that Mallory writes by hand, with the engine of her victim at the other end. */
class HostileSide {
  protected readonly fixture: EngineFixture
  readonly inbox: Inbox = { device: systemRandom(16), mailbox: systemRandom(16) }
  /** What the victim sent and was not read yet. */
  #unread = 0
  protected session: Session | undefined
  protected to: Inbox | undefined

  constructor(fixture: EngineFixture) {
    this.fixture = fixture
  }

  /** Sends these frames in one message. */
  async sends(...frames: readonly Frame[]): Promise<void> {
    const sealed = this.session && seal(this.session, frames, systemRandom)
    if (sealed?.kind !== "sealed") throw new Error("Mallory has no session")
    this.session = sealed.next
    await this.injects(sealed.wire)
  }

  async injects(wire: Uint8Array): Promise<void> {
    if (this.to === undefined) throw new Error("Mallory knows no inbox")
    this.fixture.broker.inject(inboxTopic(this.to), wire)
    await this.fixture.clock.pass(100)
  }

  /** The messages that came for her since she looked last, as they crossed the broker. */
  protected arrived(): readonly Uint8Array[] {
    const topic = inboxTopic(this.inbox)
    const all = this.fixture.broker.seen.filter((message) => message.topic === topic)
    const fresh = all.slice(this.#unread)
    this.#unread = all.length
    return fresh.map(({ payload }) => payload)
  }

  /** The frames that came since she looked last, of the messages that open. */
  reads(): readonly (readonly Frame[])[] {
    return this.arrived().flatMap((wire) => {
      const opened = this.session && open(this.session, wire, Math.floor(this.fixture.clock.now() / 1000))
      if (opened?.kind !== "opened") return []
      this.session = opened.next
      return [opened.frames]
    })
  }
}

export type HostileInit = {
  readonly identity?: IdentityKeys
  /** Her share, if it is not the commitment to her nonce. */
  readonly share?: Uint8Array
  /** For a recovery: the psk of the victim's bundle, and where the victim receives. */
  readonly recovery?: { readonly psk: Psk; readonly bundle: Uint8Array; readonly to: Inbox }
}

/** Mallory answers an offer, and may go on with any nonce. */
export class HostileInitiator extends HostileSide {
  readonly nonce = newNonce(systemRandom)
  readonly identity: IdentityKeys
  /** The INIT, which she may repeat. */
  init: Uint8Array = new Uint8Array()
  #sas: Uint8Array = new Uint8Array()
  readonly #account: AccountHead

  constructor(fixture: EngineFixture, identity: IdentityKeys = createIdentity(systemRandom)) {
    super(fixture)
    this.identity = identity
    this.#account = accountOf(identity).head
  }

  async answers(file: string, { share, recovery }: HostileInit = {}): Promise<void> {
    const bytes = recovery?.bundle ?? readArmour(file)!.bundle
    const bundle = readBundle(bytes, Math.floor(this.fixture.clock.now() / 1000))!
    const frames = helloOf(this.identity, this.inbox, this.fixture, share ?? commitmentTo(this.nonce))
    const psk = recovery?.psk ?? linkPsk(bundle.hash)
    const mode = recovery === undefined ? MODE.file : MODE.recovery
    const { identity, inbox } = this
    const started = initiate({ identity, inbox, bundle, psk, mode, frames }, systemRandom)
    if (started.kind === "refused") throw new Error(started.why)
    this.to = recovery?.to ?? bundle.inbox
    this.session = started.established.session
    this.#sas = started.established.sas
    this.init = new Uint8Array(started.init)
    await this.injects(this.init)
  }

  /** The HELLO in the victim's WELCOME. */
  welcome(): Hello {
    const hello = this.reads()
      .flat()
      .find((frame) => frame.kind === "hello")
    if (hello === undefined) throw new Error("no WELCOME came")
    return hello
  }

  /** The words as an honest program has them. */
  words({ share, accountId: account, head }: Hello): string[] {
    return read(onShare(commit(this.#sas, this.nonce, this.#account), share, { account, head }))
  }

  opens(nonce: Uint8Array = this.nonce, ...others: readonly Frame[]): Promise<void> {
    return this.sends({ kind: "open", nonce }, ...others)
  }
}

/** Mallory made an offer, which her victim answers. */
export class HostileOwner extends HostileSide {
  readonly identity = createIdentity(systemRandom)
  readonly share = newNonce(systemRandom)
  readonly #open: OpenBundle
  #comparison: Comparison | undefined

  constructor(fixture: EngineFixture, notAfter: number = Math.floor(fixture.clock.now() / 1000) + 86_400) {
    super(fixture)
    const terms = { multiUse: false, recovery: false, inbox: this.inbox, notAfter }
    this.#open = makeBundle(this.identity, terms, systemRandom)
  }

  /** Her file, at the broker of the file that an honest program wrote. */
  file(like: string): string {
    return armour({ ...readArmour(like)!, bundle: this.#open.bundle.bytes })
  }

  /** Takes the INIT that came, and answers nothing yet. */
  accepts(): Hello {
    const psk = linkPsk(this.#open.bundle.hash)
    const tag = initTag(psk, this.#open.bundle.hash)
    const init = this.arrived().find(
      (wire) => wire.length === INIT_BYTES && equal(wire.subarray(0, tag.length), tag),
    )
    const response = { identity: this.identity, open: this.#open, psk, mode: MODE.file }
    const accepted = init && respond(response, init)
    if (accepted?.kind !== "accepted") throw new Error("no INIT came")
    const { established, frames } = accepted
    const hello = frames.find((frame) => frame.kind === "hello")
    if (hello === undefined) throw new Error("no HELLO came")
    this.session = established.session
    this.to = established.peerInbox
    this.#comparison = answer(established.sas, {
      ...{ nonce: this.share, commitment: hello.share, metBefore: false },
      initiator: { account: hello.accountId, head: hello.head },
      owner: accountOf(this.identity).head,
    })
    return hello
  }

  welcomes(share = this.share): Promise<void> {
    return this.sends(...helloOf(this.identity, this.inbox, this.fixture, share))
  }

  /** The nonces that her victim has shown since she looked last. */
  nonces(): Uint8Array[] {
    return this.reads()
      .flat()
      .flatMap((frame) => (frame.kind === "open" ? [frame.nonce] : []))
  }

  /** The words as an honest program has them after this OPEN. */
  words(nonce: Uint8Array): string[] {
    const opening = this.#comparison && onOpening(this.#comparison, nonce)
    if (opening?.kind !== "heard") throw new Error("the OPEN is wrong")
    return read(opening.next)
  }
}

function read(comparison: Comparison): string[] {
  const words = wordsOf(comparison)
  if (words === undefined) throw new Error("a share is missing")
  return fourWords(words)
}

function helloOf(identity: IdentityKeys, inbox: Inbox, fixture: EngineFixture, share: Uint8Array): Frame[] {
  const notAfter = Math.floor(fixture.clock.now() / 1000) + 86_400
  const recovery = makeBundle(identity, { multiUse: false, recovery: true, inbox, notAfter }, systemRandom)
  const { head, length, links } = accountOf(identity)
  const hello: Frame = {
    kind: "hello",
    name: Buffer.from("mallory"),
    recoveryBundle: recovery.bundle.bytes,
    ...{ accountId: head.account, length, head: head.head, share },
  }
  return [hello, ...links]
}
