import type { AccountWrite, ShownAccount } from "./account-record.ts"
import type { SupersededKey } from "./message-records.ts"
import type { IntroducedBy, IntroductionWrite } from "./introduction-record.ts"
import type { SettingKey } from "./setting-key.ts"
import type { ContentChange } from "../content/content.ts"
import type {
  AcceptedInits,
  CrossedSession,
  LeftOut,
  MailboxRotation,
  OwnInits,
  PendingReceipts,
  PreviousInbox,
  Recovery,
  ReplayCache,
  Resend,
  SupersededSession,
  TextNumbers,
  WithdrawnTexts,
} from "./device-parts.ts"
import type {
  KnownId,
  MessageRecord,
  CarriedChange,
  MessageState,
  MessageName,
  NewMessage,
  Recipient,
  ChangeWrite,
} from "./message-records.ts"
import type { ContactId, ConversationId, DeviceId } from "./ids.ts"

export type DeviceState =
  /** We answered their bundle and wait for their first message. */
  | "init-sent"
  /** They answered our bundle; the first message of their second chain confirms them. */
  | "unconfirmed"
  | "established"
  /** A new session is being made from recovery bundles. */
  | "recovering"

/** A person, or a machine that talks for itself: what we decided about them, for all their devices. */
export type ContactRecord = {
  readonly id: ContactId
  /** 32 bytes; undefined until the chain of the account was verified. */
  readonly accountId: Uint8Array | undefined
  /** How many links of the chain stood behind the head that was compared last. */
  readonly comparedLinks: number
  /** Since when the chain is forked, unix ms; 0 for never, or once the fork was settled. */
  readonly lockedAt: number
  /** A local label, unique among contacts (case-insensitive). */
  readonly name: string
  readonly verified: boolean
  readonly blocked: boolean
  /** Unix ms. */
  readonly addedAt: number
  /** When another identity took over this name, unix ms; 0 for never, or once it was compared. */
  readonly changedAt: number
  /** Whether we send them read receipts, and typing notices. */
  readonly readReceipts: boolean
  readonly typing: boolean
  /** The longest random delay of receipts, in ms. */
  readonly receiptDelay: number
  /** Who introduced them; undefined for a contact that was paired. */
  readonly introducedBy: IntroducedBy | undefined
}

/** A place for messages. */
export type ConversationRecord = {
  readonly id: ConversationId
  readonly kind: "direct"
  /** With whom. */
  readonly contact: ContactId
  /** Texts disappear after so many seconds, 0 for never; and the unix ms of that setting. */
  readonly timer: number
  readonly timerSetAt: number
  /** What was typed and not sent, or empty. */
  readonly draft: string
  /** Unix ms; 0 if it is not muted, `MUTED_FOREVER` until it is unmuted. */
  readonly mutedUntil: number
}

/** The defaults of a new conversation. */
export const NEW_CONVERSATION = {
  kind: "direct",
  timer: 0,
  timerSetAt: 0,
  draft: "",
  mutedUntil: 0,
} as const satisfies Partial<ConversationRecord>

/** One installation of a contact's: a session of its own, and what resends and recovers it. */
export type DeviceRecord = {
  readonly id: DeviceId
  readonly contact: ContactId
  /** signPk || boxPk, 64 bytes; unique among devices. */
  readonly key: Uint8Array
  readonly state: DeviceState
  /** Where it receives from us: device id 16 || mailbox 16. */
  readonly peerInbox: Uint8Array
  /** Where we receive from it, 16 bytes. */
  readonly mailbox: Uint8Array
  /** How far the words of the session are, as the session room writes it; empty without a session. */
  readonly comparison: Uint8Array
  /** Secret that authenticates a recovery, 32 bytes. */
  readonly recoverySecret: Uint8Array
  /** That of a handshake which it has not answered yet, or empty. It replaces the previous one when it has. */
  readonly nextRecoverySecret: Uint8Array
  /** Its newest recovery bundle, 1402 bytes, or empty. */
  readonly recoveryBundle: Uint8Array
  /** Since when it sends to another device of ours, unix ms; 0 for never. */
  readonly movedAt: number
}

/** The defaults of a new contact. */
export const NEW_CONTACT = {
  accountId: undefined,
  comparedLinks: 0,
  lockedAt: 0,
  verified: false,
  blocked: false,
  changedAt: 0,
  readReceipts: false,
  typing: false,
  receiptDelay: 0,
  introducedBy: undefined,
} as const satisfies Partial<ContactRecord>

/** The defaults of a new device. */
export const NEW_DEVICE = {
  comparison: new Uint8Array(0),
  nextRecoverySecret: new Uint8Array(0),
  recoveryBundle: new Uint8Array(0),
  movedAt: 0,
} as const satisfies Partial<DeviceRecord>

/** Later than any clock. */
export const MUTED_FOREVER = Number.MAX_SAFE_INTEGER

/** A text of theirs that waits for earlier ones, or the note that nothing waits under this number. */
export type HeldRecord = {
  readonly device: DeviceId
  readonly number: number
  readonly storedAt: number
  /** Without a text: why its author says that it will never come; undefined if there is nothing to show. */
  readonly gone: "cancelled" | "given-up" | "not-held" | undefined
  readonly text: HeldText | undefined
}

export type HeldText = Pick<MessageRecord, "id" | "digest" | "text" | "sentAt" | "timer" | "replyTo">

/** A session message of theirs that changed the conversation, by the first 8 bytes of its mid. */
export type ReceivedFrame = { readonly device: DeviceId; readonly mid: Uint8Array; readonly at: number }

/** What a peer can ask for without end, and what a newer one of its kind makes void. */
export type AnswerKind = "chain" | "gone" | "pq-ct" | "topic" | "topic-ok"

/** The broker did not take a frame. */
export type Refusal = {
  /** The reason code of MQTT 5; 0 if it ended the connection without one. */
  readonly reason: number
  /** The largest packet that it took then, in bytes; 0 if it did not say. */
  readonly limit: number
}

/** A sealed frame that waits for PUBACK, or for the peer's receipt. The same bytes are sent until then. */
export type OutgoingRecord = {
  readonly seq: number
  readonly device: DeviceId
  /** First 8 bytes of the mid; what an ACK names. */
  readonly mid: Uint8Array
  /**
   * `passing` frames, such as receipts, are done at PUBACK: the peer does not acknowledge them. So is a `rejection`, which
   * also goes to a contact who is blocked. A `handshake` frame, such as
   * WELCOME, is one that may go to a contact whose key has not been compared. So is one of `chain`, links or the request for
   * them. Of an answer one waits at most. `resend` holds the place of what is sent again in a new session.
   */
  readonly kind: "text" | "control" | "passing" | "rejection" | "init" | "handshake" | "resend" | AnswerKind
  /** The text that it carries: its id, 8 bytes, and its number in the session. */
  readonly carries: { readonly id: Uint8Array; readonly number: number } | undefined
  /** Another device of the contact has acknowledged that text: a person no longer waits for it. */
  readonly delivered: boolean
  /** The change of a message that it carries. */
  readonly carriesChange: CarriedChange | undefined
  /** The number of a text or change that is not sent any more, if the frame says so. */
  readonly withdrawnNumber: number | null
  readonly topic: string
  /** Empty for a text that waits for a session to seal it. */
  readonly wire: Uint8Array
  readonly published: boolean
  /** It is set aside until `dueAt`, and the others go on. */
  readonly refusal?: Refusal | undefined
  readonly attempts: number
  /** On how many days it was published, and the last of them; days of 24 hours since it was made, -1 for none. */
  readonly daysTried: number
  readonly lastDayTried: number
  /** When it is published next, in engine time. */
  readonly dueAt: number
  readonly createdAt: number
}

/** A frame that waits for its first publish. */
export const NOT_PUBLISHED = {
  published: false,
  attempts: 0,
  daysTried: 0,
  lastDayTried: -1,
} as const satisfies Partial<OutgoingRecord>

/** One entry of the event log: a message was added, or one of ours changed its state. */
export type EventRecord = {
  /** Numbers the entries of this store; never reused, and higher in a later commit. */
  readonly number: number
  /** The message's new state; null if it was added or changed. */
  readonly state: MessageState | null
  /** How its content changed, if it did. */
  readonly change: ContentChange["kind"] | undefined
} & MessageName

/**
 * What a commit recorded otherwise than it was told, by the number of the event: a message that was known already, or a
 * state that the message could not reach, has no event; in the place of a text under a used id stands a line.
 */
export type CommitReport = ReadonlyMap<number, EventRecord | undefined>

/** A bundle of ours that can still be answered. */
export type OpenBundleRecord = {
  /** INIT tag, 16 bytes. */
  readonly tag: Uint8Array
  /** Link request tag, 16 bytes, or empty. */
  readonly requestTag: Uint8Array
  readonly mode: number
  /** 32 bytes. */
  readonly psk: Uint8Array
  /** Bundle and its secrets, as the session room writes them. */
  readonly open: Uint8Array
  /** The mailbox it names, 16 bytes. */
  readonly mailbox: Uint8Array
  /** The device that recovers with it; null for an offer. */
  readonly device: DeviceId | null
  /** Unix seconds. */
  readonly notAfter: number
}

/** What we keep about a device next to its session: each part is a table whose row goes with the device. */
export type DeviceParts = {
  readonly textNumbers: TextNumbers
  readonly leftOut: LeftOut
  readonly pendingReceipts: PendingReceipts
  readonly replayCache: ReplayCache
  readonly withdrawnTexts: WithdrawnTexts
  readonly supersededSession: SupersededSession
  readonly acceptedInits: AcceptedInits
  readonly ownInits: OwnInits
  readonly crossedSession: CrossedSession
  readonly recovery: Recovery
  readonly resend: Resend
  readonly shownAccount: ShownAccount
  readonly mailboxRotation: MailboxRotation
  readonly previousInbox: PreviousInbox
}

/** A new value of one part. */
export type DevicePartWrite<Part extends keyof DeviceParts = keyof DeviceParts> = {
  [P in Part]: {
    readonly kind: "device-part"
    readonly device: DeviceId
    readonly part: P
    readonly value: DeviceParts[P]
  }
}[Part]

/** Names a message of ours. */
type OwnMessage = Pick<MessageRecord, "conversation" | "id">

/** One change. A commit is a list of these in one transaction: all or none. */
export type Write =
  | { readonly kind: "contact"; readonly contact: ContactRecord }
  | { readonly kind: "forget-contact"; readonly id: ContactId }
  | { readonly kind: "device"; readonly device: DeviceRecord }
  /** With its session, and everything else that refers to it. */
  | { readonly kind: "forget-device"; readonly id: DeviceId }
  | { readonly kind: "conversation"; readonly conversation: ConversationRecord }
  | AccountWrite
  | { readonly kind: "session"; readonly device: DeviceId; readonly snapshot: Uint8Array }
  | { readonly kind: "end-session"; readonly device: DeviceId }
  /**
   * Skipped if the conversation has or had one of this author's under this id. If that one said something else, or the id
   * is one of ours, the line `ifReused` is added instead. With `unlessRepeated` also if the newest message there is a line
   * that says the same.
   */
  | {
      readonly kind: "message"
      readonly message: NewMessage
      readonly recipients?: readonly Recipient[]
      readonly ifReused?: NewMessage
      readonly unlessRepeated?: boolean
    }
  /** One more account that a message of ours is sent to. */
  | ({ readonly kind: "recipient" } & OwnMessage & Omit<Recipient, "state">)
  /** Of a message of ours with one of its recipients. `delivered` starts its timer; `read` is final. */
  | ({ readonly kind: "message-state" } & OwnMessage & Recipient)
  /** All received ones of the conversation up to the seq `upTo`; with `after`, only those that come after that one. */
  | {
      readonly kind: "shown"
      readonly conversation: ConversationId
      readonly after?: number
      readonly upTo: number
      readonly at: number
    }
  /** Timers of messages that started since then end so much later: the time went ahead at once. */
  | { readonly kind: "move-timers"; readonly since: number; readonly by: number }
  /** Deletes all that had expired then, unix ms; ids of received texts stay known while they may be repeated. */
  | { readonly kind: "expire"; readonly at: number }
  /** Deletes the messages of a conversation from one seq to another; ids of received texts stay known as after `expire`. */
  | {
      readonly kind: "delete"
      readonly conversation: ConversationId
      readonly from: number
      readonly upTo: number
      readonly at: number
    }
  /** Deletes what this contact sent that waits to be shown; the ids of the texts stay known as after `expire`. */
  | { readonly kind: "delete-waiting"; readonly contact: ContactId; readonly at: number }
  /** Skipped if the message refuses it; kept for a message of theirs that is not here yet. */
  | ChangeWrite
  | { readonly kind: "known-id"; readonly known: KnownId }
  | { readonly kind: "received-frame"; readonly frame: ReceivedFrame }
  | { readonly kind: "held"; readonly held: HeldRecord }
  | { readonly kind: "held-done"; readonly device: DeviceId; readonly number: number }
  /** Moves the messages with one contact, and their events, to another's conversation; the new one has received none. */
  | {
      readonly kind: "adopt-history"
      readonly from: ContactId
      readonly to: ContactId
      readonly supersededKey?: SupersededKey
    }
  /** Marks a message as one of a key whose place another took. */
  | ({ readonly kind: "superseded-key"; readonly key: SupersededKey } & MessageName)
  | { readonly kind: "outgoing"; readonly outgoing: OutgoingRecord }
  | { readonly kind: "outgoing-done"; readonly seq: number }
  | { readonly kind: "open-bundle"; readonly bundle: OpenBundleRecord }
  | { readonly kind: "close-bundle"; readonly tag: Uint8Array }
  | IntroductionWrite
  | { readonly kind: "event"; readonly event: EventRecord }
  | DevicePartWrite
  | { readonly kind: "setting"; readonly key: SettingKey; readonly value: Uint8Array }
