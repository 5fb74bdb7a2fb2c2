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
  expect(keepAll(upTo(9, `${long}.`)).map(({ time }) => time)).toEqual([8, 7, 6, 5])
  const huge = version(10, "x".repeat(EDIT_BYTES_MAX + 1))
  expect(keepNewest(edits, huge).map(({ time }) => time)).toEqual([10, 8, 7, 6, 5])
  expect(keepNewest([huge], version(11))).toEqual([version(11)])
})

test("[D-94] a short edit older than one that was dropped is dropped, too: the order does not matter", () => {
  const long = "x".repeat(EDIT_BYTES_MAX)
  const versions = [version(1, "short"), version(2, long), version(3, long), version(4, "now")]
  const kept = [version(4, "now"), version(3, long)]
  expect(keepAll(versions)).toEqual(kept)
  expect(keepAll(versions.toReversed())).toEqual(kept)
})
