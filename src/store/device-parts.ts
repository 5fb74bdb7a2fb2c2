/** The texts of the present session [W-28]: how many of ours were sent, how many of theirs were shown. */
export type TextNumbers = { readonly sent: number; readonly received: number }

/** After the contact was unblocked: which of the device's messages were written before that, and are left out. */
export type LeftOut = {
  /** When the contact was unblocked, unix ms; 0 if nothing is left out. */
  readonly until: number
  /** How far the clock of their author was ahead of ours, ms. */
  readonly ahead: number
  /** How many chains the peer has to begin until one shows that it has heard from us since then. */
  readonly turns: number
  /** Until then, unix ms, no chain shows that: a new session begins with what waited for it. */
  readonly resealedUntil: number
  /** From this number on all of them were written after that. */
  readonly firstKept: number
  /** Whether a line says that something was left out. */
  readonly noted: boolean
}

/** Receipts that the peer waits for: the first 8 bytes of the mids of received frames. */
export type PendingReceipts = { readonly mids: readonly Uint8Array[] }

/** The first 8 bytes of the mids of the last frames that did not change the conversation: those that are owed a receipt, and the others. */
export type ReplayCache = { readonly owed: readonly Uint8Array[]; readonly passing: readonly Uint8Array[] }

/**
 * The last texts that were cancelled or given up while a frame carried them, which may have arrived: the first 8 bytes of
 * the mid of the frame, and the id of the text at the same place.
 */
export type WithdrawnTexts = { readonly mids: readonly Uint8Array[]; readonly ids: readonly Uint8Array[] }

/** The session with the machine that used the device's key before, since when it is over (unix ms), and its inbox. */
export type SupersededSession = {
  readonly since: number
  readonly inbox: Uint8Array
  readonly snapshot: Uint8Array
}

/** The first 8 bytes of the mids of the last INITs of theirs that may start no session, oldest first: those that did, and superseded ones. */
export type AcceptedInits = { readonly mids: readonly Uint8Array[] }

/** The first 8 bytes of the mids of INITs of ours that were never answered, oldest first. */
export type OwnInits = { readonly mids: readonly Uint8Array[] }

/** Our own session, which began with an INIT, while one that they began in the meantime is not confirmed; empty if there is none. */
export type CrossedSession = {
  readonly snapshot: Uint8Array
  /** Whether it renews a session; otherwise it answers an offer. */
  readonly isRecovery: boolean
  /** Where its answer comes, and where the peer receives. */
  readonly mailbox: Uint8Array
  readonly peerInbox: Uint8Array
  readonly comparison: Uint8Array
  readonly recoverySecret: Uint8Array
  readonly nextRecoverySecret: Uint8Array
}

/** What is sent again to a device that lost what it had acknowledged. */
export type Resend = {
  /** Texts from before are not: there was no device yet, or its account was locked. Unix ms. */
  readonly since: number
  /** The newest of our texts that it has, as it said in the handshake of the present session; undefined if it said nothing or was answered. */
  readonly have: { readonly ids: readonly Uint8Array[] } | undefined
  /** We said so too, and nothing has come again yet. */
  readonly isExpected: boolean
  /** What was sent again since this unix ms, for an hour. */
  readonly spentAt: number
  readonly spentTexts: number
  readonly spentBytes: number
}

export type Recovery = {
  /** How many frames in a row were unmatched. */
  readonly unmatched: number
  /** The last of them: the first 8 bytes of the mid of each, and at the same place when it came first, unix ms. */
  readonly unmatchedMids: readonly Uint8Array[]
  readonly unmatchedAt: readonly number[]
  /** When the last one started, unix ms; 0 for never. */
  readonly startedAt: number
  /** How many have started since a session was last confirmed. */
  readonly attempts: number
  /** Their last INIT that lost against ours, and when the first of those arrived, unix ms. */
  readonly lostInit: { readonly mid: Uint8Array; readonly at: number } | undefined
}

/** Where we receive from a device, and where we did: the mailbox itself is in its record. */
export type MailboxRotation = {
  /** Subscribed to, or about to be, and named to no one yet; or empty. */
  readonly next: Uint8Array
  /** Since when it sends to the present mailbox, or was told to, unix ms. */
  readonly since: number
  /** How many texts of the session, of both sides, there had been then. */
  readonly texts: number
  /** No further step before this, unix ms. */
  readonly notBefore: number
  /** Whether it has said that it sends to the present mailbox, or never had another. */
  readonly confirmed: boolean
  /** Those before, 16 bytes each, oldest first. */
  readonly old: readonly Uint8Array[]
  /** When it said that it no longer sends there, unix ms; 0 before. */
  readonly oldSince: readonly number[]
}

/** Where a device received from us before it named another mailbox, and when it did, unix ms. */
export type PreviousInbox = { readonly inbox: Uint8Array; readonly at: number }
