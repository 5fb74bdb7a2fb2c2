import type { MessageRecord, MessageState, Recipient } from "./message-records.ts"

/** The transitions of a text of ours [D-10]; a received text has none. */
export const MESSAGE_TRANSITIONS: Readonly<Record<MessageState, readonly MessageState[]>> = {
  queued: ["broker", "delivered", "read", "given-up", "cancelled"],
  broker: ["delivered", "read", "given-up", "cancelled"],
  delivered: ["read"],
  read: [],
  // It may still have arrived, and the peer then sends a receipt.
  "given-up": ["delivered", "read"],
  cancelled: ["delivered", "read"],
  received: [],
}

/** The states from which a text can reach this one. */
export function statesBefore(state: MessageState): MessageState[] {
  return (Object.keys(MESSAGE_TRANSITIONS) as MessageState[]).filter((from) =>
    MESSAGE_TRANSITIONS[from].includes(state),
  )
}

/**
 * A message is as far as the recipient with whom it is least: while it is under way to one of them it is under way, and
 * then what failed counts before what arrived [D-62].
 */
export const LEAST_FIRST: readonly Recipient["state"][] = [
  "queued",
  "broker",
  "cancelled",
  "given-up",
  "delivered",
  "read",
]

/** Whether we wrote it. A line has no author either. */
export function isOurs({ author, kind }: Pick<MessageRecord, "author" | "kind">): boolean {
  return author === null && kind === "text"
}
