import { Fault } from "../../errors.ts"
import type { Events } from "./event-emitter.ts"
import { notice } from "./events.ts"

/** Runs work that nothing waits for and that a later start repeats: a full disk becomes a notice, not the end. */
export function runDetached(events: Events, work: Promise<void>): void {
  work.catch((fault: unknown) => {
    if (!(fault instanceof Fault)) throw fault
    events.emit(notice(fault.message))
  })
}
