import { setTimeout as pause } from "node:timers/promises"

/** Often enough that no test waits for it, rarely enough to leave the machine to other processes. */
const LOOK_MS = 20

/** Polls until the condition holds, if no event reports it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(LOOK_MS)
}
