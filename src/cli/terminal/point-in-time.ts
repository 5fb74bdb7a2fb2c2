import { milliseconds } from "./duration.ts"

/** The error text for what `readTime` cannot read. */
export const TIME_FORM =
  "a time is needed: how long ago, such as 30m, 2h or 7d, or a date, such as 2026-11-30, 2026-11-30T14:05 or 2026-11-30T14:05:00Z"

const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(Z|[+-]\d\d:\d\d)?)?$/

/** How long ago, or a date with or without a time; unix ms. Without a zone it is local time. */
export function readTime(text: string, now: number): number | undefined {
  const ago = milliseconds(text)
  if (!Number.isNaN(ago)) return now - ago
  const [, day, clock = "00:00", zone = ""] = DATE.exec(text) ?? []
  const time = Date.parse(`${day}T${clock}${zone}`)
  return day === undefined || Number.isNaN(time) || !isOnCalendar(day) ? undefined : time
}

/** Date.parse takes February 30 for March 2. */
function isOnCalendar(day: string): boolean {
  const time = Date.parse(`${day}T00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day)
}
