import fc from "fast-check"
import { expect, test } from "vitest"
import { readDuration } from "../../src/cli/terminal/duration.ts"

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["5m", 300_000],
  ["2h", 7_200_000],
  ["1d", 86_400_000],
  ["7d", 604_800_000],
  ["8d", undefined],
  ["604800001ms", undefined],
  ["0s", undefined],
  ["", undefined],
  ["30", undefined],
  ["1.5s", undefined],
  ["-1s", undefined],
  [" 1s", undefined],
  ["1s\n", undefined],
  ["1S", undefined],
  ["1w", undefined],
  ["1constructor", undefined],
])("%j is %s ms", (text, ms) => {
  expect(readDuration(text)).toBe(ms)
})

test("no input is read as a time that a timer cannot hold", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9]{1,12}(ms|s|m|h|d)$/)), (text) => {
      const ms = readDuration(text)
      return ms === undefined || (Number.isInteger(ms) && ms > 0 && ms <= 604_800_000)
    }),
  )
})
