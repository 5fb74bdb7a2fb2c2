import type { IntroductionRecord } from "../../store/introduction-record.ts"
import type { PublicKey, Psk, Random } from "../../crypto/bytes.ts"
import type { Debug } from "../../debug/debug.ts"
import type { StoredCredential } from "../../keystore/credential.ts"
import type { Bundle, OpenBundle } from "../../session/bundle.ts"
import type { Mode } from "../../session/handshake.ts"
import type {
  BrokerAddress,
  Connect,
  BrokerHints,
  ConnectTarget,
  MqttVersion,
  Publisher,
  Transport,
  Trust,
} from "../../transport/transport.ts"
import type { IdentityKeys } from "../../wire/identity.ts"
import type { LedgerWatch } from "../../wire/ledger-view.ts"
import type { Inbox } from "../../wire/topics.ts"
import type { Event } from "./events.ts"
import type { Params, Results } from "./commands.ts"
import type { CommitQueue } from "./commit-queue.ts"
import type { DeviceId } from "../../store/ids.ts"
import type { FaultPoint } from "./fault-points.ts"
import type { UnverifiedLimits } from "./limits.ts"
import type { Store } from "../../store/message-store.ts"
import type { Offer } from "./pairing-shapes.ts"

/** The broker where this profile receives. */
export type BrokerConfig = {
  readonly address: BrokerAddress
  /** Its other nodes, if it has several. */
  readonly others?: readonly BrokerAddress[]
  /** Where guests connect, if it is not where members connect. */
  readonly guests?: BrokerAddress
  readonly trust: Exclude<Trust, { kind: "unproven" }>
  /** Box key of the broker's registrar, if it has one. */
  readonly registrar?: PublicKey
  /** The protocol that it used last time. */
  readonly mqttVersion?: MqttVersion
  /** The largest packet that it took last time, in bytes. */
  readonly maximumPacketSize?: number
}

/** What the profile remembers about its broker, kept outside the message store (settings and key file). */
export type ProfileConfig = {
  readonly broker: () => BrokerConfig | undefined
  readonly credential: () => StoredCredential | undefined
  readonly saveBroker: (broker: BrokerConfig) => Promise<void>
  readonly saveCredential: (credential: StoredCredential) => Promise<void>
  /** What a connection learned about the present broker; it saves the next start a connection or two. */
  readonly saveHints: (hints: BrokerHints) => Promise<void>
  /** Another process has changed the settings. */
  readonly reload: () => void
}

/** The credential for a broker that the profile did not know. */
export type NewCredential = Extract<StoredCredential, { kind: "invitation" | "account" }>

export type DeviceCredential = Extract<StoredCredential, { kind: "device" }>

/** Turns an invitation (72 bytes) into a device certificate, over a guest's connection whose pin is proven. */
export type Enroll = (
  request: {
    readonly publisher: Connection
    readonly invitation: Uint8Array
    readonly deviceName: string
  },
  ledger?: LedgerWatch,
) => Promise<DeviceCredential>

/** Registers an identity from a backup as a device again, over a guest's connection whose pin is proven. */
export type Restore = (
  request: {
    readonly publisher: Connection
    readonly registrar: PublicKey
    readonly deviceName: string
    /** Unix ms. */
    readonly now: number
  },
  ledger?: LedgerWatch,
) => Promise<DeviceCredential>

/**
 * A new certificate for the same device id and key, over the profile's own connection, or over a guest's if the old one
 * has expired.
 */
export type Renew = (
  request: {
    readonly publisher: Connection
    readonly registrar: PublicKey
    readonly credential: DeviceCredential
    readonly guest: boolean
  },
  ledger?: LedgerWatch,
) => Promise<DeviceCredential>

/** Whom an offer is for: another person, or another laptop of our own. */
export type Invited = "person" | "device"

/** Asks the registrar for a fresh invitation (72 bytes), as a member, over the profile's own connection. */
export type Invite = (
  request: {
    readonly to: Invited
    readonly publisher: Connection
    readonly registrar: PublicKey
    readonly deviceId: string
  },
  ledger?: LedgerWatch,
) => Promise<Uint8Array>

/** Asks only for the head of the registrar's ledger, which `ledger` hears of, over a guest's connection. */
export type RequestHead = (
  request: { readonly publisher: Connection; readonly registrar: PublicKey },
  ledger: LedgerWatch,
) => Promise<void>

/** The machine's clocks. */
export type MachineClocks = {
  /** The clock that users set, unix ms: for what is shown, or compared with other machines. It may be wrong [D-108]. */
  readonly wallClock: () => number
  /** Ms since this boot, also while the machine was suspended. */
  readonly uptime: () => number
  /** Names this boot; undefined where the system has no name for it. */
  readonly boot: string | undefined
}

/** All external effects that the engine needs; the command line passes real ones, tests their own. */
export type OutsidePorts = MachineClocks & {
  readonly store: Store
  readonly identity: IdentityKeys
  /** Our own name, sent to contacts in HELLO and WELCOME; at most 64 bytes of UTF-8. It may change. */
  readonly name: () => string
  readonly connect: Connect
  /** Nothing is received or sent: the engine shows and changes only what is here. */
  readonly offline?: boolean
  /** Only the broker's own session is asked for: it has the subscriptions, and no new one is made while it is there. */
  readonly asksOnly?: boolean
  readonly enroll: Enroll
  readonly restore: Restore
  readonly renew: Renew
  readonly invite: Invite
  readonly requestHead: RequestHead
  readonly config: ProfileConfig
  /** They may change; without them `UNVERIFIED_LIMITS` count. */
  readonly unverifiedLimits?: (() => UnverifiedLimits) | undefined
  readonly random: Random
  /** Runs `run` once after `ms`, or soon after a suspension that lasted longer; the returned function cancels it. */
  readonly after: (ms: number, run: () => void) => () => void
  /** Called at each fault point; a test may end the process there. */
  readonly reach: (point: FaultPoint) => void
  readonly debug: Debug
}

/** What the parts of the engine use. */
export type Ports = OutsidePorts & {
  /** Engine time, ms [D-106]: every deadline counts in it. Near unix time, but it follows no clock that is set. */
  readonly now: () => number
}

/**
 * One connection shared by several listeners, each for one literal topic. `listen` subscribes and resolves on SUBACK; a
 * topic has one listener at a time, and the function it returns ends listening and subscription. A listener may not
 * block: frames arrive one at a time, so waiting there for a publish would never end.
 */
export type Connection = Publisher &
  Pick<Transport, "serverPins"> & {
    /** Resolves when the connection is up; rejects with its Fault when it stops for good or is closed. */
    readonly online: () => Promise<void>
  }

/** A connection of its own, apart from the profile's: a newcomer's connection to a broker. */
export type ClosableConnection = Connection & { readonly close: () => Promise<void> }

/** The callback for a finished handshake. */
export type Paired = Results["pair-answer"]

/** What the pairing drivers use from the engine. */
export type PairingContext = {
  readonly ports: Ports
  readonly queue: CommitQueue
  /** The profile's own connection. Faults `config` when the profile has no broker or no credential yet. */
  readonly connection: () => Connection
  /** A connection in addition to the profile's own, for a newcomer; the caller closes it. */
  readonly dial: (target: ConnectTarget) => ClosableConnection
  /** Saves broker and credential (an invitation is turned into a certificate first) and brings the profile's connection up. */
  readonly joinBroker: (
    join: { readonly broker: BrokerConfig; readonly credential: NewCredential },
    limitMs: number | undefined,
  ) => Promise<void>
  /** The present broker has another address. Saves it and connects there; resolves before the connection is up. */
  readonly moveBroker: (broker: BrokerConfig) => Promise<void>
  /** A new inbox of ours at the present broker: our device id and a fresh mailbox. */
  readonly newInbox: () => Inbox
  /**
   * Our side of an offer: keeps the bundle, subscribes to its mailbox and resolves after SUBACK. From then on a
   * matching INIT (and for a link a request: wire/pairing-link.ts) is answered by the engine, also in a later process, until
   * `cancel` or the bundle's notAfter. While offline it does not wait for the SUBACK. `onPaired` is called once, after the
   * commit, in addition to the `paired` event.
   */
  readonly expect: (offer: Expected) => Promise<Expectation>
  /**
   * Their bundle in hand: handshake, contact and INIT in one commit, SUBACK for our mailbox, then INIT published.
   * Resolves after its PUBACK, or after the commit while offline. Faults `protocol` when the handshake refuses the bundle.
   */
  readonly initiate: (answer: Answered) => Promise<Initiated>
  readonly mark: () => PairingMark
  /** The contact whose device has this id at the broker, if it has answered an offer of ours in the last two minutes. */
  readonly metLately: (peerDevice: Uint8Array) => Paired | undefined
  readonly emit: (event: Event) => void
}

export type Expected = {
  readonly open: OpenBundle
  readonly mode: Mode
  readonly psk: Psk
  /** Tag of a link request, 16 bytes; only for links. */
  readonly requestTag?: Uint8Array
  /** A guess to strike out in the same commit: our share of an exchange by code that has succeeded. */
  readonly proved?: PublicKey
  readonly onPaired: (paired: Paired) => void
}

export type Expectation = {
  /** Deletes the bundle and its secrets, if it was not consumed. */
  readonly cancel: () => Promise<void>
}

export type Answered = {
  readonly bundle: Bundle
  readonly mode: Mode
  readonly psk: Psk
  /** The owner's name for themselves, if the offer carries one; else their WELCOME brings it. */
  readonly name?: Uint8Array
  /** The introduction that brought it; it ends with the handshake. */
  readonly introduction?: IntroductionRecord
  /** From `newInbox`; for a link the one that the bundle was sent to. */
  readonly inbox: Inbox
  /** From `mark`: if the owner has answered an offer of ours since then, that handshake is the pairing, and no other begins. */
  readonly since?: PairingMark
}

/** A point in time, for `Answered.since`. */
export type PairingMark = { readonly accepted: ReadonlyMap<DeviceId, string>; readonly pairings: number }

export type Initiated = {
  /** The contact before the peer has answered: under a placeholder name, with the words to compare. */
  readonly paired: Paired
  /** Resolves when the peer's WELCOME has opened; rejects when the engine closes first. */
  readonly welcomed: Promise<Paired>
}

/**
 * src/engine/pairing/offer.ts exports `startOffer` and src/engine/pairing/answer.ts exports `answerOffer` of these types.
 * A failure after the offer is shown is reported by the event `pair-failed`; a failure before, or of an
 * answer, is a Fault.
 */
export type StartOffer = (
  context: PairingContext,
  params: Params<"pair-offer">,
  to: Invited,
) => Promise<Offered>
export type Offered = {
  readonly offer: Offer
  /** True while a code is on offer here; links and files are kept with their bundles. */
  readonly isLive: () => boolean
  readonly cancel: () => Promise<void>
}
export type AnswerOffer = (context: PairingContext, params: Params<"pair-answer">) => Promise<Paired>
