import { writeFileSync } from "node:fs"

/** Linux: which memory a core dump of this process, and of what it starts, holds (core(5)). */
const FILTER = "/proc/self/coredump_filter"
const NO_MEMORY = "0"

/** A core dump would hold keys, messages and typed text in the clear. Elsewhere this is left to the system. */
export function keepMemoryOutOfCores(): void {
  try {
    writeFileSync(FILTER, NO_MEMORY)
  } catch {
    // not Linux, or /proc is hidden
  }
}
