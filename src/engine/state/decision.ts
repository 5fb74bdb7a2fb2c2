import type { ChainLink } from "../../account/chain-link.ts"
import type { Account } from "./account.ts"
import type { Session } from "../../session/state.ts"
import type { EventRecord, Write } from "../../store/records.ts"
import type { IntroductionId } from "../../store/introduction-record.ts"
import type { ContentChange } from "../../content/content.ts"
import type { Event } from "./events.ts"
import type { MessageState } from "../../store/message-records.ts"
import type { ContactId, ConversationId, DeviceId } from "../../store/ids.ts"

/** What only an import writes, into a store that no engine has opened. */
type Restored = "superseded-key" | "known-id"

/** One change of memory and disk. A session is encoded only when its batch is committed. */
export type Change =
  | Exclude<Write, { kind: "session" | "account-links" | "own-link" | Restored }>
  | ({ readonly kind: "account"; readonly contact: ContactId } & Account)
  | { readonly kind: "own-link"; readonly link: ChainLink }
  | { readonly kind: "session"; readonly device: DeviceId; readonly session: Session }

/** Why a contact is not called what they call themselves: both null if they are. */
export type Renaming = {
  /** What they call themselves. */
  readonly renamedFrom: string | null
  /** The contact whose name looks like it; null if it is a reserved name. */
  readonly confusableWith: string | null
}

export const NOT_RENAMED: Renaming = { renamedFrom: null, confusableWith: null }

/** What a step causes once its changes are on disk; `runEffects` carries it out. */
export type Effect =
  | {
      readonly kind: "message"
      readonly conversation: ConversationId
      readonly author: ContactId | null
      readonly id: Uint8Array
    }
  /** What a message says was changed, by either side. */
  | {
      readonly kind: "changed"
      readonly conversation: ConversationId
      readonly author: ContactId | null
      readonly id: Uint8Array
      readonly change: ContentChange["kind"]
    }
  /** The new state of a text of ours. */
  | {
      readonly kind: "receipt"
      readonly conversation: ConversationId
      readonly id: Uint8Array
      readonly state: MessageState
    }
  /** Messages of theirs were shown. */
  | { readonly kind: "shown"; readonly contact: ContactId }
  /** Its draft or muting is another, or messages were deleted. */
  | { readonly kind: "conversation"; readonly contact: ContactId }
  /** A frame of the device was processed; some of its frames may wait for a receipt. */
  | { readonly kind: "received"; readonly device: DeviceId; readonly receiptsWait: boolean }
  /** A known device has a new session. */
  | {
      readonly kind: "session-replaced"
      readonly device: DeviceId
      readonly oldMailboxes: readonly Uint8Array[]
    }
  /** An INIT answered the offer of ours with this tag. */
  | {
      readonly kind: "accepted"
      readonly device: DeviceId
      readonly tag: Uint8Array
      readonly offer: string
      readonly known: boolean
      readonly renaming: Renaming
    }
  /** A session ended: its device is gone. */
  | {
      readonly kind: "ended"
      readonly device: DeviceId
      readonly mailboxes: readonly Uint8Array[]
      readonly why: string
    }
  /** A bundle of ours is closed that was not answered: its mailbox may be of no use any more. */
  | { readonly kind: "bundle-closed"; readonly mailbox: Uint8Array }
  /** A handshake began that ends by itself unless it is finished in time. */
  | { readonly kind: "unfinished" }
  /** The account of a device is verified: texts of ours that waited for that can be sealed. */
  | { readonly kind: "admitted"; readonly device: DeviceId }
  /** The owner of an offer that we answered has sent its first message. */
  | { readonly kind: "welcomed"; readonly device: DeviceId; readonly renaming: Renaming }
  /** The owner has agreed to this introduction of ours: the initiator is to be told. */
  | { readonly kind: "introduce"; readonly id: IntroductionId }
  /** A text of theirs came, with this time of its author's clock. */
  | { readonly kind: "dated"; readonly theirs: number }
  | { readonly kind: "dropped" }
  | { readonly kind: "event"; readonly event: Event }

/** What the event log keeps. */
export type RecordedKind = "message" | "receipt" | "changed"

/** An effect once it is on disk: a recorded one is given as its entry in the event log. */
export type CommittedEffect =
  Exclude<Effect, { kind: RecordedKind }> | { readonly kind: "recorded"; readonly event: EventRecord }

/** The outcome of one step: its changes, all or nothing, and their effects. */
export type Decision<Result> = {
  readonly commit: readonly Change[]
  readonly effects: readonly Effect[]
  readonly result: Result
}

/** A part of a step, or one whose result no one asks for. */
export type Consequences = Pick<Decision<null>, "commit" | "effects">

export const NOTHING_FOLLOWS: Consequences = { commit: [], effects: [] }

export function joined(parts: readonly Consequences[]): Consequences {
  return { commit: parts.flatMap(({ commit }) => commit), effects: parts.flatMap(({ effects }) => effects) }
}

/** A step that changes nothing. */
export function noChange<Result>(result: Result): Decision<Result> {
  return { commit: [], effects: [], result }
}
