import { Fault } from "../../errors.ts"
import { HOUR_MS } from "../../time-units.ts"
import type { CommitQueue } from "../state/commit-queue.ts"
import type { Ports } from "../state/ports.ts"
import { stepInput } from "../state/update.ts"
import { endOverdue, nextEnd } from "./unfinished.ts"

/** The clock is read again at least this often: it may have been set. */
const RECHECK_MS = HOUR_MS

/** Ends handshakes that are not finished in time [D-71]. */
export type UnfinishedWatch = {
  /** Call after a handshake began. */
  readonly rearm: () => void
}

export function watchUnfinished(ports: Ports, queue: CommitQueue): UnfinishedWatch {
  let cancel: () => void = () => undefined

  async function check(): Promise<void> {
    const next = nextEnd(queue.state())
    if (next === undefined) return
    try {
      if (next <= ports.now()) await queue.run((state) => endOverdue(state, stepInput(ports)))
    } catch (fault) {
      // The disk is full; the next round tries again.
      if (!(fault instanceof Fault)) throw fault
    }
    cancel()
    cancel = ports.after(Math.min(Math.max(next - ports.now(), 1_000), RECHECK_MS), () => void check())
  }

  void check()
  return { rearm: () => void check() }
}
