import { expect, test } from "vitest"
import { EDIT_BYTES_MAX, EDITS_MAX, keepNewest, type Version } from "../../src/content/versions.ts"

const version = (time: number, text = `edit ${time}`): Version => ({ text, time })
const keepAll = (versions: readonly Version[]) => versions.reduce<readonly Version[]>(keepNewest, [])
const upTo = (count: number, text?: string) => Array.from({ length: count }, (_, time) => version(time, text))

test("[D-94] of more edits than are kept the newest stay, in whatever order they came", () => {
  const many = upTo(EDITS_MAX + 5)
  const kept = many.slice(5).reverse()
  expect(keepAll(many)).toEqual(kept)
  expect(keepAll(many.toReversed())).toEqual(kept)
  expect(keepAll(upTo(EDITS_MAX))).toHaveLength(EDITS_MAX)
  const edits = keepAll(many)
  expect(keepNewest(edits, version(4))).toBe(edits)
  expect(keepNewest(edits, many.at(-1)!)).toBe(edits)
})

test("[D-94] the texts of earlier edits have a bound, and the newest counts not: it is the message", () => {
  const long = "ß".repeat(EDIT_BYTES_MAX / 8)
  const edits = keepAll(upTo(9, long))
  expect(edits.map(({ time }) => time)).toEqual([8, 7, 6, 5, 4])
  expect(keepAll(upTo(9, `${long}.`)).map(({ time }) => time)).toEqual([8, 7, 6, 5, 4])
  expect(keepAll(upTo(9, long.slice(1))).map(({ time }) => time)).toEqual([8, 7, 6, 5, 4, 3])
  const huge = version(10, "x".repeat(EDIT_BYTES_MAX + 1))
  expect(keepNewest(edits, huge).map(({ time }) => time)).toEqual([10, 8, 7, 6, 5])
  expect(keepAll([version(9), huge, version(11)])).toEqual([version(11), huge])
})

test("[D-94] a short edit older than one that was dropped is dropped, too: the order does not matter", () => {
  const long = "x".repeat(EDIT_BYTES_MAX - 1)
  const [short, second, third, fourth] = [
    version(1, "s"),
    version(2, long),
    version(3, long),
    version(4, long),
  ]
  const now = version(5, "now")
  for (const order of [
    [short, second, third, fourth, now],
    [now, fourth, third, second, short],
    [now, second, fourth, third, short],
  ])
    expect(keepAll(order)).toEqual([now, fourth, third])
})
