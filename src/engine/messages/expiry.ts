import { Fault } from "../../errors.ts"
import { HOUR_MS } from "../../time-units.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Ports } from "../state/ports.ts"

/** The clock is read again at least this often: it may have been set. */
const RECHECK_MS = HOUR_MS
/** Pause before the next try after the disk was full. */
const RETRY_MS = 10_000

/** Deletes expired messages. */
export type Expiry = {
  /** Call after anything that may have started a message's timer. */
  readonly rearm: () => void
}

export function openExpiry(ports: Ports, queue: CommitQueue): Expiry {
  let cancel: () => void = () => undefined

  async function check(): Promise<void> {
    const next = await ports.store.nextExpiry()
    if (next === undefined) return
    const now = ports.now()
    if (next > now) {
      arm(Math.min(next - now, RECHECK_MS))
      return
    }
    await queue.run(() => ({ commit: [{ kind: "expire", at: now }], effects: [], result: null }))
    await check()
  }

  async function checkOrRetry(): Promise<void> {
    try {
      await check()
    } catch (fault) {
      if (!(fault instanceof Fault)) throw fault
      arm(RETRY_MS)
    }
  }

  function arm(ms: number): void {
    cancel()
    cancel = ports.after(ms, () => void checkOrRetry())
  }

  void checkOrRetry()
  return { rearm: () => void checkOrRetry() }
}
