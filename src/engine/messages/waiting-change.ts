import type { ContentChange } from "../../content/content.ts"
import type { OutgoingRecord } from "../../store/records.ts"
import { changeKey } from "../state/change-key.ts"
import type { EngineState } from "../state/engine-state.ts"
import { collectWaiting } from "./deliveries.ts"
import { contentOf } from "./message-content.ts"
import type { CarriedChange, StoredMessage } from "../../store/message-records.ts"
import type { ContactId } from "../../store/ids.ts"

/** Of the message, when the change is sealed: it was not known when the change was put into the outbox. */
export const UNKNOWN_DIGEST = new Uint8Array(0)

/**
 * What a change of ours that waited says now: of a message only the newest edit and reaction are sent in a new session [D-96].
 * Undefined if nothing of it is left to be sent. A deletion needs no message.
 */
export function waitingChange(
  carried: CarriedChange,
  message: StoredMessage | undefined,
): ContentChange | undefined {
  const { kind } = carried
  if (kind === "delete") return deletionOf(carried, message)
  if (message === undefined || isUndelivered(message)) return undefined
  const { edits, reactions } = contentOf(message)
  const newest = kind === "edit" ? edits[0] : reactions.find(({ by }) => by === null)
  if (newest === undefined) return undefined
  return "text" in newest ? { kind: "edit", by: null, ...newest } : { kind: "reaction", ...newest }
}

/** One that was repeated may be of a message that was not deleted. */
function deletionOf(
  { digest, time }: CarriedChange,
  message: StoredMessage | undefined,
): ContentChange | undefined {
  const deletedAt = digest.length === UNKNOWN_DIGEST.length ? (message?.deletedAt ?? null) : time
  return deletedAt === null ? undefined : { kind: "delete", by: null, time: deletedAt }
}

/** A change of ours that no device of the contact has acknowledged yet, the newest of its kind, with what waits for it. */
export type PendingChange = {
  readonly contact: ContactId
  readonly change: CarriedChange
  readonly entries: readonly OutgoingRecord[]
}

/** Oldest first. What another device of the contact has is delivered, as a text is. */
export function pendingChanges(state: EngineState): PendingChange[] {
  const waiting = collectWaiting(
    state,
    ({ carriesChange }) => carriesChange && { key: changeKey(carriesChange), what: carriesChange },
  )
  return waiting.map(({ contact, what: change, entries }) => ({ contact, change, entries }))
}

/** It may not be there to be changed. */
function isUndelivered({ state }: StoredMessage): boolean {
  return state === "cancelled" || state === "given-up"
}
