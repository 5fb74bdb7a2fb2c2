import { expect, test } from "vitest"
import { readTime } from "../../src/cli/terminal/point-in-time.ts"

const NOW = Date.parse("2026-11-30T12:00:00Z")

test.each([
  ["30m", "2026-11-30T11:30:00Z"],
  ["7d", "2026-11-23T12:00:00Z"],
  ["0s", "2026-11-30T12:00:00Z"],
  ["2026-11-29T14:05:00Z", "2026-11-29T14:05:00Z"],
  ["2026-11-29 14:05Z", "2026-11-29T14:05:00Z"],
  ["2026-11-29T14:05+01:00", "2026-11-29T13:05:00Z"],
  ["2024-02-29T00:00Z", "2024-02-29T00:00:00Z"],
])("%s is %s", (text, time) => {
  expect(readTime(text, NOW)).toBe(Date.parse(time))
})

test("without a zone, a date is the local one and begins at midnight", () => {
  expect(readTime("2026-11-29", NOW)).toBe(new Date(2026, 10, 29).getTime())
  expect(readTime("2026-11-29T14:05:06", NOW)).toBe(new Date(2026, 10, 29, 14, 5, 6).getTime())
})

test.each([
  "",
  "yesterday",
  "-2h",
  "2026-02-30",
  "2026-13-01",
  "2026-11-29T25:00",
  "2026-11-29T1:00",
  "99999",
])("%j is no time", (text) => {
  expect(readTime(text, NOW)).toBeUndefined()
})
