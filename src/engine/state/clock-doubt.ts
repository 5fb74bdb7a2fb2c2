import type { ClockDoubt } from "./engine-time.ts"

/** The last day that a date can have. */
const TIME_MAX = 8.64e15

/** Both days, since no one can say which is right [D-109]. */
export function describeDoubt({ shows, expected }: ClockDoubt): string {
  return `this machine's clock shows ${day(shows)}, but ${day(expected)} was expected: check this machine's clock`
}

/** As in "2026-12-01", UTC. */
export function day(ms: number): string {
  return new Date(Math.max(0, Math.min(ms, TIME_MAX))).toISOString().slice(0, 10)
}
