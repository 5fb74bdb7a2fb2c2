import { readFileSync } from "node:fs"

/** States of proc(5): stopped by a signal, and stopped by a debugger. */
const STOPPED_STATES: ReadonlySet<string | undefined> = new Set(["T", "t"])

/** Whether the process is stopped, as by Ctrl+Z; false also where the system does not say. */
export function isStopped(pid: number): boolean {
  const stat = readProc(pid, "stat")
  return STOPPED_STATES.has(stat.slice(stat.lastIndexOf(")") + 2)[0])
}

/** The arguments of the process, its program first; none where the system does not say. */
export function argumentsOf(pid: number): readonly string[] {
  return readProc(pid, "cmdline").split("\0").slice(0, -1)
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8")
  } catch {
    return ""
  }
}
