import type { MessageState } from "./records.ts"

/** How far a text of ours can come from each state [D-10]; one that is somebody else's goes nowhere. */
export const MESSAGE_TRANSITIONS: Readonly<Record<MessageState, readonly MessageState[]>> = {
  queued: ["broker", "delivered", "read", "given-up", "cancelled"],
  broker: ["delivered", "read", "given-up", "cancelled"],
  delivered: ["read"],
  read: [],
  // It may have arrived all the same, and its reader says so.
  "given-up": ["read"],
  cancelled: ["read"],
  received: [],
}

/** The states from which a text may come to this one. */
export function statesBefore(state: MessageState): MessageState[] {
  return (Object.keys(MESSAGE_TRANSITIONS) as MessageState[]).filter((from) =>
    MESSAGE_TRANSITIONS[from].includes(state),
  )
}
