import { setTimeout as pause } from "node:timers/promises"

/** Often enough that no test waits for it, seldom enough to leave the machine to what is waited for. */
const LOOK_MS = 20

/** Looks until the condition holds, where nothing tells of it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(LOOK_MS)
}
