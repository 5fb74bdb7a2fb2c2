import type { MessageState } from "./records.ts"

/** The transitions of a text of ours [D-10]; a received text has none. */
export const MESSAGE_TRANSITIONS: Readonly<Record<MessageState, readonly MessageState[]>> = {
  queued: ["broker", "delivered", "read", "given-up", "cancelled"],
  broker: ["delivered", "read", "given-up", "cancelled"],
  delivered: ["read"],
  read: [],
  // It may still have arrived, and the peer then sends a receipt.
  "given-up": ["read"],
  cancelled: ["read"],
  received: [],
}

/** The states from which a text can reach this one. */
export function statesBefore(state: MessageState): MessageState[] {
  return (Object.keys(MESSAGE_TRANSITIONS) as MessageState[]).filter((from) =>
    MESSAGE_TRANSITIONS[from].includes(state),
  )
}
