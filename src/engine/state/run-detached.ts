import { Fault } from "../../errors.ts"
import type { Events } from "./event-emitter.ts"
import { notice } from "./events.ts"

/** Runs work that is not awaited and that a later start repeats: a full disk becomes a notice and does not end the process. */
export function runDetached(events: Events, work: Promise<void>): void {
  work.catch((fault: unknown) => {
    if (!(fault instanceof Fault)) throw fault
    events.emit(notice(fault.message))
  })
}
