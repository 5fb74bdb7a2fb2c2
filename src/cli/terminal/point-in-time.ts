import { milliseconds } from "./duration.ts"

/** The error text for what `readTime` cannot read. */
export const TIME_FORM =
  "a time is needed: how long ago, such as 30m, 2h or 7d, or a date, such as 2026-11-30, 2026-11-30T14:05 or 2026-11-30T14:05:00Z"

const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?(Z|[+-]\d\d:\d\d)?)?$/

/** How long ago, or a date with or without a time; unix ms. Without a zone it is local time. */
export function readTime(text: string, now: number): number | undefined {
  const ago = milliseconds(text)
  if (!Number.isNaN(ago)) return now - ago
  const [, year = "", month = "", day = "", hour = "00", minute = "00", second = "00", zone = ""] =
    DATE.exec(text) ?? []
  if (year === "") return undefined
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`)
  return Number.isNaN(time) || !isOnCalendar(Number(year), Number(month), Number(day)) ? undefined : time
}

/** Date.parse takes February 30 for March 2. */
function isOnCalendar(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day))
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}
