import { readFileSync } from "node:fs"
import { uptime as systemUptime } from "node:os"

import type { MachineClocks, Ports } from "../../engine/state/ports.ts"

/** Linux makes a new name at each boot. Elsewhere the boot has none that no change of the clock moves. */
const BOOT_ID = "/proc/sys/kernel/random/boot_id"
/** Reading it costs a system call or two; between two readings time goes by the monotonic clock. */
const READ_EVERY_MS = 1_000
/** The system's uptime has steps of up to a second. More than that is a suspension, in which the monotonic clock stands still. */
const SUSPENDED_MS = 1_500
/** A timer of Node stands still while the machine is suspended: a longer one looks so often whether its time is over. */
const RECHECK_MS = 15_000

export function openMachineClocks(): MachineClocks {
  const monotonic = (): number => performance.now()
  return { wallClock: Date.now, uptime: openUptime(monotonic, readUptime), boot: readBoot() }
}

/** Ms since the boot, from a clock that is cheap to read and one that also counts suspensions. */
export function openUptime(monotonic: () => number, readTotal: () => number): () => number {
  let readAt = monotonic()
  let ahead = readTotal() - readAt
  return () => {
    const now = monotonic()
    if (now - readAt < READ_EVERY_MS) return now + ahead
    readAt = now
    const found = readTotal() - now
    if (found - ahead > SUSPENDED_MS) ahead = found
    return now + ahead
  }
}

/** Timers that also end while the machine is suspended: soon after it is awake again. */
export function openTimers(uptime: () => number): { after: Ports["after"]; clear: () => void } {
  const timers = new Set<NodeJS.Timeout>()
  function wait(until: number, run: () => void, hold: (timer: NodeJS.Timeout) => void): void {
    const timer = setTimeout(
      () => {
        timers.delete(timer)
        if (uptime() < until) wait(until, run, hold)
        else run()
      },
      Math.min(Math.max(0, until - uptime()), RECHECK_MS),
    )
    timers.add(timer)
    hold(timer)
  }
  const after: Ports["after"] = (ms, run) => {
    let present: NodeJS.Timeout | undefined
    wait(uptime() + ms, run, (timer) => (present = timer))
    return () => {
      clearTimeout(present)
      if (present !== undefined) timers.delete(present)
    }
  }
  return { after, clear: () => timers.forEach((timer) => clearTimeout(timer)) }
}

function readUptime(): number {
  return systemUptime() * 1000
}

function readBoot(): string | undefined {
  try {
    return readFileSync(BOOT_ID, "latin1").trim() || undefined
  } catch {
    return undefined
  }
}
