import type { AccountLink } from "./account-record.ts"
import type { IntroductionRecord, IntroductionId } from "./introduction-record.ts"
import type {
  CarriedChange,
  KnownId,
  StoredMessage,
  MessageName,
  MessageRecord,
  ChangeWrite,
} from "./message-records.ts"
import type { IdPage, Page, UnshownPage, ReceivedTexts, MessageCount } from "./pages.ts"
import type {
  ContactRecord,
  DeviceRecord,
  ConversationRecord,
  OutgoingRecord,
  HeldRecord,
  OpenBundleRecord,
  DeviceParts,
  Write,
  CommitReport,
  EventRecord,
} from "./records.ts"
import type { StoredRows } from "./rows.ts"
import type { SettingKey } from "./setting-key.ts"
import type { DeviceId, ContactId, ConversationId } from "./ids.ts"

/** What an earlier process may have left, found without a look at all contacts. */
export type StoredWork = {
  /** Devices that are owed a receipt. */
  readonly receipts: () => readonly DeviceId[]
  /** Devices that are in the middle of a recovery. */
  readonly recoveries: () => readonly DeviceId[]
  /** Devices whose mailbox is being replaced, or that have an earlier one. */
  readonly rotations: () => readonly DeviceId[]
  /** Bundles whose time is over; `now` in seconds. */
  readonly endOfBundles: (now: number) => readonly OpenBundleRecord[]
}

/** What the engine loads when a profile opens; conversations stay on disk, and what grows with the contacts is read when it is asked for. */
export type LoadedState = {
  readonly contacts: readonly ContactRecord[]
  readonly devices: readonly DeviceRecord[]
  readonly conversations: readonly ConversationRecord[]
  /** Reads the session of a device, if it has one. Of thousands of contacts few are needed at a time. */
  readonly snapshotOf: (device: DeviceId) => Uint8Array | undefined
  readonly outgoing: readonly OutgoingRecord[]
  /** By device and number. */
  readonly held: readonly HeldRecord[]
  readonly openBundles: readonly OpenBundleRecord[]
  readonly deviceParts: ReadonlyMap<DeviceId, Partial<DeviceParts>>
  /** The rows of the tables above, one by one. */
  readonly rows: StoredRows
  /** Those of the open bundles that are of no device. */
  readonly offers: readonly OpenBundleRecord[]
  /** Devices whose handshake is not finished. */
  readonly unfinished: readonly DeviceId[]
  /** What waits on the disk now for something to be done. */
  readonly waiting: StoredWork
  /** Reads the links of a contact's account, by branch and number. */
  readonly linksOf: (contact: ContactId) => readonly AccountLink[]
  /** Of our own account, in their order. */
  readonly ownLinks: readonly Uint8Array[]
  readonly settings: ReadonlyMap<string, Uint8Array>
  readonly introductions: readonly IntroductionRecord[]
  readonly nextIntroduction: IntroductionId
  readonly nextContact: ContactId
  readonly nextDevice: DeviceId
  readonly nextConversation: ConversationId
  readonly nextOutgoing: number
  readonly nextEvent: number
}

/** The encrypted message store of one profile. All methods reject with Fault `disk-full`, `io` or `damaged-database`. */
export type Store = {
  readonly load: () => Promise<LoadedState>
  /** One fsynced transaction. Resolves when the changes are on disk; on a rejection none of them is. */
  readonly commit: (writes: readonly Write[]) => Promise<CommitReport>
  /** The last messages of a conversation, oldest first; with `after` the first ones after it. */
  readonly history: (conversation: ConversationId, page: Page) => Promise<readonly StoredMessage[]>
  /** The next `limit` messages of all conversations, in the order in which they were stored, after the seq `after`. */
  readonly messages: (after: number, limit: number) => Promise<readonly StoredMessage[]>
  /** Received and not yet shown, of one conversation or of all, oldest first. */
  readonly unshown: (page?: UnshownPage) => Promise<readonly StoredMessage[]>
  /** How many received texts no user interface has shown yet, of one conversation or of all. */
  readonly countUnshown: (conversation?: ConversationId) => Promise<number>
  /** The same by conversation, without those that have none. */
  readonly unshownCounts: () => Promise<ReadonlyMap<ConversationId, number>>
  /** Full-text search over all conversations, newest first. Any input is taken as words, never as a syntax error. */
  readonly search: (query: string, page: Page) => Promise<readonly StoredMessage[]>
  /** What is here of a contact's: the bytes of all its texts and of the lines about it, and when those after `since` came. */
  readonly receivedFrom: (contact: ContactId, since: number) => Promise<ReceivedTexts>
  /** Whether this session message of theirs, by 8 bytes of its mid, changed the conversation. */
  readonly hasFrame: (device: DeviceId, mid: Uint8Array) => Promise<boolean>
  /** The next `limit` entries of the event log after the number `after`. */
  readonly events: (after: number, limit: number) => Promise<readonly EventRecord[]>
  readonly findMessage: (name: MessageName) => Promise<StoredMessage | undefined>
  /** The first one under this id, of any author. */
  readonly findMessageById: (
    conversation: ConversationId,
    id: Uint8Array,
  ) => Promise<StoredMessage | undefined>
  /** Who wrote the text under this id first, and its digest, even if it is no longer here. */
  readonly knownText: (
    conversation: ConversationId,
    id: Uint8Array,
  ) => Promise<Pick<MessageRecord, "author" | "digest"> | undefined>
  /** The first `limit` whose ids are between two ids, both included, of one conversation or of all. */
  readonly messagesBetween: (
    first: Uint8Array,
    last: Uint8Array,
    page: IdPage,
  ) => Promise<readonly StoredMessage[]>
  /** The messages of a conversation whose seq is in the range. */
  readonly countMessages: (conversation: ConversationId, from: number, upTo: number) => Promise<MessageCount>
  /** The next `limit` ids of texts that are no longer here, after the one `after`. */
  readonly knownIds: (after: KnownId | undefined, limit: number) => Promise<readonly KnownId[]>
  /** All changes that wait for their message. */
  readonly earlyChanges: () => Promise<readonly ChangeWrite[]>
  /** Ids of texts of this author, the newest first: of those that are here, and then of those that are not any more. */
  readonly newestIds: (
    conversation: ConversationId,
    author: ContactId,
    limit: number,
  ) => Promise<readonly Uint8Array[]>
  /** The first `limit` changes that we made since then, unix ms: of each message the newest of a kind. */
  readonly ownChanges: (
    conversation: ConversationId,
    since: number,
    limit: number,
  ) => Promise<readonly CarriedChange[]>
  /** When the next message disappears, unix ms. */
  readonly nextExpiry: () => Promise<number | undefined>
  /** Empty bytes count as a value. */
  readonly setting: (key: SettingKey) => Promise<Uint8Array | undefined>
  /** Reads every page and index. False if they contradict each other; a changed page is a Fault. */
  readonly isWhole: () => Promise<boolean>
  readonly close: () => Promise<void>
}
