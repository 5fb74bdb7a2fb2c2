import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../time-units.ts"

/** A length of time in the one unit that fits. */
export function formatDuration(ms: number): string {
  if (ms >= 2 * DAY_MS) return `${Math.floor(ms / DAY_MS)} days`
  if (ms >= 2 * HOUR_MS) return `${Math.floor(ms / HOUR_MS)} hours`
  if (ms >= 2 * MINUTE_MS) return `${Math.floor(ms / MINUTE_MS)} minutes`
  return `${Math.max(0, Math.floor(ms / 1000))} seconds`
}

/** The day of a moment (unix ms), in UTC. */
export function formatDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
