import { ANSWER_WAIT_MIN_MS, ANSWER_WAIT_MS } from "../../daemon/silence-watch.ts"
import { notKnownWhetherStored } from "../../daemon/unknown-outcome.ts"
import { Fault } from "../../errors.ts"

/** How long `send` waits for a process that does not answer: no longer than its --timeout. */
export function answerLimit(timeoutMs = ANSWER_WAIT_MS): number {
  return Math.min(Math.max(timeoutMs, ANSWER_WAIT_MIN_MS), ANSWER_WAIT_MS)
}

/** For a user who tries again: an earlier try may have been stored. */
export async function connectingToSend<T>(connection: Promise<T>): Promise<T> {
  try {
    return await connection
  } catch (cause) {
    if (cause instanceof Fault && cause.code === "unavailable") throw notKnownWhetherStored(cause)
    throw cause
  }
}
