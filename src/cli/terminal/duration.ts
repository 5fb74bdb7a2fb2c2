import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../time-units.ts"

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }
/** As the API has it: a timer of Node holds 24 days. */
const DURATION_MS_MAX = 7 * DAY_MS

/** How long `send` waits by default before it leaves the message to the outbox. */
export const SEND_WAIT_MS = 10_000

/** The error text for what `readDuration` cannot read. */
export const DURATION_FORM = "a time from 1ms to 7d is needed, such as 500ms, 30s, 5m, 2h or 1d"

/** Messages disappear after at most a year, as `TIMER_MAX_S` of wire/frame.ts has it. */
const TIMER_MS_MAX = 366 * DAY_MS
export const TIMER_FORM = "a time from 1s to 366d, such as 30s, 5m, 2h or 7d"

/** `500ms`, `30s`, `5m`, `2h` or `1d`, at most 7 days, in milliseconds. */
export function readDuration(text: string): number | undefined {
  const ms = milliseconds(text)
  return ms > 0 && ms <= DURATION_MS_MAX ? ms : undefined
}

/** The same in whole seconds, at most 366 days. */
export function readTimer(text: string): number | undefined {
  const ms = milliseconds(text)
  return ms > 0 && ms <= TIMER_MS_MAX && ms % 1000 === 0 ? ms / 1000 : undefined
}

/** In the units above, unbounded; NaN for what is none of these. */
export function milliseconds(text: string): number {
  const [, digits, unit = ""] = /^([0-9]{1,9})(ms|s|m|h|d)$/.exec(text) ?? []
  return Number(digits) * (UNIT_MS[unit] ?? NaN)
}
