/**
 * Every step of sending and receiving at which a process can die, in the order in which they are reached.
 * A test kills a real process at each of them, and fails if one is never reached.
 */
export const FAULT_POINTS = [
  "send-decided",
  "send-committed",
  "publish-started",
  "publish-acknowledged",
  "publish-recorded",
  "receive-arrived",
  "receive-decided",
  "receive-committed",
  "receipt-decided",
  "receipt-committed",
  "init-decided",
  "init-committed",
  "welcome-decided",
  "welcome-committed",
  "recovery-committed",
] as const

export type FaultPoint = (typeof FAULT_POINTS)[number]
