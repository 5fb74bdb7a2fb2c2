import type { Reaction, ContentChange } from "../content/content.ts"
import type { Version } from "../content/versions.ts"
import type { ConversationId, ContactId } from "./ids.ts"

/** Whether the key was compared whose place another took. */
export type SupersededKey = "compared" | "uncompared"

export type MessageState =
  /** Safe on our disk. */
  | "queued"
  /** PUBACK received. */
  | "broker"
  /** The peer has it on disk and its hash matches. */
  | "delivered"
  /** It was shown to the peer. */
  | "read"
  /** Published on 30 days, and not acknowledged. */
  | "given-up"
  /** Cancelled before the peer acknowledged it. */
  | "cancelled"
  /** Theirs. */
  | "received"

export type MessageRecord = {
  /** Order of this conversation on this device. */
  readonly seq: number
  readonly conversation: ConversationId
  /** Null for ours, and for a line. */
  readonly author: ContactId | null
  /** 8 bytes, chosen by the author; unique among those of one author in a conversation. */
  readonly id: Uint8Array
  /** 16 bytes, of the text as it was sent first; a line has none. */
  readonly digest: Uint8Array
  /** A line is a system message: it reports what happened to the conversation and was never sent. */
  readonly kind: "text" | "line"
  readonly text: string
  /** The sender's clock, unix ms. */
  readonly sentAt: number
  /** Our clock when it was stored, unix ms. */
  readonly storedAt: number
  /** Of ours, the least of the states of its recipients. */
  readonly state: MessageState
  /** False for received messages that no user interface has shown yet. */
  readonly shown: boolean
  /** Seconds from its delivery, or for a received one from when it was shown, until it disappears; 0 for never. */
  readonly timer: number
  /** Unix ms; 0 while the timer has not started. */
  readonly expiresAt: number
  /** The message that it answers. */
  readonly replyTo: ReplyTo | undefined
  /** The time of its newest edit by its author's clock, unix ms. */
  readonly editedAt: number | null
  /** When its author deleted it for both sides; its text is then empty. */
  readonly deletedAt: number | null
}

/** Names a message in the same conversation as REPLY does [W-53], and what it said first. */
export type ReplyTo = {
  /** The beginning of its author's account id, 8 bytes. */
  readonly author: Uint8Array
  readonly id: Uint8Array
  readonly digest: Uint8Array
}

/** A message before the store has numbered it; one that was just sent has not changed. */
export type NewMessage = Omit<MessageRecord, "seq" | "editedAt" | "deletedAt">

/** An account that a message of ours was sent to. */
export type Recipient = {
  readonly contact: ContactId
  readonly state: Exclude<MessageState, "received">
  /** Since when, unix ms. */
  readonly at: number
}

/** A text that another one answers. */
export type Quoted = Pick<MessageRecord, "author" | "kind" | "text" | "digest" | "deletedAt">

/** A message with what other tables say of it. */
export type StoredMessage = MessageRecord & {
  /** What it said before, oldest first. */
  readonly previous: readonly Version[]
  /** Also those that were taken away, which have no emoji. */
  readonly reactions: readonly Reaction[]
  readonly recipients: readonly Recipient[]
  /** The message that it answers, if it is here. */
  readonly quoted: Quoted | undefined
  /** Of a message to or from a key whose place another took. */
  readonly supersededKey: SupersededKey | undefined
}

/** The id of a text that is no longer here, since when, unix ms. */
export type KnownId = Pick<MessageRecord, "conversation" | "id" | "digest"> & {
  /** 0 for us. */
  readonly author: ContactId
  readonly at: number
}

/** Names a message: no two of one author have the same id. */
export type MessageName = Pick<MessageRecord, "conversation" | "author" | "id">

/** What a change names: only a message with the same digest is meant. */
export type TextName = Pick<MessageRecord, "conversation" | "author" | "id" | "digest">

/** A change of a message, by either side; `at` is our clock. */
export type ChangeWrite = TextName & {
  readonly kind: "change"
  readonly change: ContentChange
  readonly at: number
}

/** The message whose change it is, and which; `number` is that in the session. */
export type CarriedChange = Omit<TextName, "conversation"> & {
  readonly kind: ContentChange["kind"]
  readonly time: number
  readonly number: number
}
