/** A contact's local number: 1, 2, 3, ... and never used again. */
export type ContactId = number

export type ContactState =
  /** We answered their bundle and wait for their first message. */
  | "init-sent"
  /** They answered our bundle; the first message of their second chain confirms them. */
  | "unconfirmed"
  | "established"
  /** The session is being made anew from recovery bundles. */
  | "recovering"

export type ContactRecord = {
  readonly id: ContactId
  /** signPk || boxPk, 64 bytes; unique among contacts. */
  readonly identity: Uint8Array
  /** A local label, unique among contacts (case-insensitive). */
  readonly name: string
  readonly state: ContactState
  readonly verified: boolean
  readonly blocked: boolean
  /** Where they receive from us: device id 16 || mailbox 16. */
  readonly peerInbox: Uint8Array
  /** Where we receive from them, 16 bytes. */
  readonly mailbox: Uint8Array
  /** 32 bytes of the handshake's output, from which the words to compare are made. */
  readonly sas: Uint8Array
  /** Secret that authenticates a recovery, 32 bytes. */
  readonly recoverySecret: Uint8Array
  /** Their newest recovery bundle, 1402 bytes, or empty. */
  readonly recoveryBundle: Uint8Array
  /** Unix ms. */
  readonly addedAt: number
}

export type MessageState =
  /** Safe on our disk. */
  | "queued"
  /** PUBACK received. */
  | "broker"
  /** The peer has it on disk and its hash matches. */
  | "delivered"
  /** Nobody acknowledged it for 30 days. */
  | "given-up"
  /** Theirs. */
  | "received"

export type MessageRecord = {
  /** Order of this conversation on this device. */
  readonly seq: number
  readonly contact: ContactId
  /** 16 bytes; unique per contact. */
  readonly mid: Uint8Array
  readonly mine: boolean
  readonly text: string
  /** The sender's clock, unix ms. */
  readonly sentAt: number
  /** Our clock when it was stored, unix ms. */
  readonly storedAt: number
  readonly state: MessageState
  /** False for received messages that no face has shown yet. */
  readonly shown: boolean
}

/** A finished frame that waits for PUBACK, or for the peer's receipt. The same bytes are sent until then. */
export type OutgoingRecord = {
  readonly seq: number
  readonly contact: ContactId
  /** First 8 bytes of the message id; what an ACK names. */
  readonly mid: Uint8Array
  readonly kind: "text" | "control" | "ack" | "init"
  readonly topic: string
  readonly wire: Uint8Array
  /** An `ack` frame is done at PUBACK; all others wait for the peer's receipt. */
  readonly published: boolean
  readonly attempts: number
  /** Unix ms of the next publish. */
  readonly dueAt: number
  readonly createdAt: number
}

/** A bundle of ours that somebody may answer. */
export type OpenBundleRecord = {
  /** INIT tag, 16 bytes. */
  readonly tag: Uint8Array
  /** Link request tag, 16 bytes, or empty. */
  readonly requestTag: Uint8Array
  readonly mode: number
  /** 32 bytes; for recovery bundles empty until the contact is known. */
  readonly psk: Uint8Array
  /** Bundle and its secrets, as the session room writes them. */
  readonly open: Uint8Array
  /** The mailbox it names, 16 bytes. */
  readonly mailbox: Uint8Array
  /** Whose recovery bundle it is, or null. */
  readonly contact: ContactId | null
  /** Unix seconds. */
  readonly notAfter: number
}

/** One change. A commit is a list of these in one transaction: all or none. */
export type Write =
  | { readonly write: "contact"; readonly contact: ContactRecord }
  | { readonly write: "forget-contact"; readonly id: ContactId }
  | { readonly write: "session"; readonly contact: ContactId; readonly snapshot: Uint8Array }
  | { readonly write: "message"; readonly message: Omit<MessageRecord, "seq"> }
  | {
      readonly write: "message-state"
      readonly contact: ContactId
      readonly mid8: Uint8Array
      readonly state: MessageState
    }
  | { readonly write: "shown"; readonly contact: ContactId; readonly upTo: number }
  | { readonly write: "outgoing"; readonly outgoing: OutgoingRecord }
  | { readonly write: "outgoing-done"; readonly seq: number }
  | { readonly write: "open-bundle"; readonly bundle: OpenBundleRecord }
  | { readonly write: "close-bundle"; readonly tag: Uint8Array }
  | { readonly write: "setting"; readonly key: string; readonly value: Uint8Array }

/** What the engine loads when a profile opens; conversations stay on disk. */
export type Opening = {
  readonly contacts: readonly ContactRecord[]
  readonly snapshots: ReadonlyMap<ContactId, Uint8Array>
  readonly outgoing: readonly OutgoingRecord[]
  readonly openBundles: readonly OpenBundleRecord[]
  readonly settings: ReadonlyMap<string, Uint8Array>
  readonly nextContact: ContactId
  readonly nextOutgoing: number
}

/** The encrypted memory of one profile. All methods reject with Fault `disk-full`, `io` or `damaged-database`. */
export type Store = {
  readonly opening: () => Promise<Opening>
  /** One fsynced transaction. Resolves when the changes are on disk; on a rejection none of them is. */
  readonly commit: (writes: readonly Write[]) => Promise<void>
  /** The last `limit` messages with a contact, oldest first, before `before` (a seq) where given. */
  readonly history: (contact: ContactId, limit: number, before?: number) => Promise<readonly MessageRecord[]>
  /** Received and not yet shown, all contacts, oldest first. */
  readonly unshown: () => Promise<readonly MessageRecord[]>
  /** Full-text search over all conversations, newest first. Any input is words to look for, never a syntax error. */
  readonly search: (words: string, limit: number) => Promise<readonly MessageRecord[]>
  readonly hasMessage: (contact: ContactId, mid: Uint8Array) => Promise<boolean>
  /** Reads every page and index. False where they contradict each other; a page that was changed is a Fault. */
  readonly isWhole: () => Promise<boolean>
  readonly close: () => Promise<void>
}
