import type { Session } from "../../session/state.ts"
import type { ContactId, MessageState, Write } from "../../store/records.ts"
import type { Event } from "./events.ts"

/** One change of the engine's memory and of the disk. A session is encoded only when its batch is committed. */
export type Change =
  | Exclude<Write, { kind: "session" }>
  | { readonly kind: "session"; readonly contact: ContactId; readonly session: Session }

/** What the faces hear once the changes are on disk. */
export type Effect =
  | { readonly kind: "message"; readonly contact: ContactId; readonly mid: Uint8Array }
  | {
      readonly kind: "receipt"
      readonly contact: ContactId
      /** 16 bytes. */
      readonly mid: Uint8Array
      readonly state: MessageState
    }
  /** Of the text of ours whose id begins so. */
  | { readonly kind: "read"; readonly contact: ContactId; readonly mid8: Uint8Array }
  | { readonly kind: "welcomed"; readonly contact: ContactId; readonly renamedFrom: string | null }
  | { readonly kind: "dropped" }
  | { readonly kind: "event"; readonly event: Event }

/** The outcome of one step: what changes, all or nothing, and what is said of it afterwards. */
export type Decision<Result> = {
  readonly commit: readonly Change[]
  readonly effects: readonly Effect[]
  readonly result: Result
}

/** A step that changes nothing. */
export function noChange<Result>(result: Result): Decision<Result> {
  return { commit: [], effects: [], result }
}
