import fc from "fast-check"
import { expect, test } from "vitest"
import { decodeRecord, encodeRecord, RECORD_BYTES_MAX } from "../../src/backup/contents.ts"
import type { BackupChange } from "../../src/backup/message-change.ts"
import type { ContentChange } from "../../src/content/content.ts"

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const anyChange: fc.Arbitrary<BackupChange> = fc
  .record({
    contact: fc.integer({ min: 1, max: 0xffff_ffff }),
    mine: fc.boolean(),
    id: bytes(8),
    digest: bytes(16),
    at: fc.maxSafeNat(),
    isOurs: fc.boolean(),
    isPending: fc.boolean(),
    isDelivered: fc.boolean(),
    time: fc.maxSafeNat(),
    said: fc.oneof(
      fc.record({ kind: fc.constant("edit" as const), text: fc.string({ unit: "grapheme", minLength: 1 }) }),
      fc.record({ kind: fc.constant("delete" as const) }),
      fc.record({ kind: fc.constant("reaction" as const), emoji: fc.constantFrom("", "👍", "❤️") }),
    ),
  })
  .map(({ isOurs, said, time, ...rest }) => {
    const change: ContentChange = { by: isOurs ? null : rest.contact, time, ...said }
    const isPending = rest.isPending && isOurs
    return { ...rest, change, isPending, isDelivered: rest.isDelivered && isPending }
  })

const written = (change: BackupChange): Uint8Array => encodeRecord({ record: "change", change })
const example: BackupChange = {
  ...{ contact: 7, mine: true, id: new Uint8Array(8).fill(1), digest: new Uint8Array(16).fill(2) },
  ...{
    at: 5,
    isPending: true,
    isDelivered: false,
    change: { kind: "edit", by: null, time: 6, text: "grüße" },
  },
}
/** With one byte replaced. */
function altered(change: BackupChange, at: number, value: number): Uint8Array {
  const record = written(change)
  record[at] = value
  return record
}

test("[B-9] a change comes back as it was written, and other bytes are refused", () => {
  fc.assert(
    fc.property(anyChange, fc.nat(60), fc.nat(255), (change, at, value) => {
      expect(decodeRecord(written(change))).toEqual({ record: "change", change })
      const bytes = altered(change, at, value)
      const read = decodeRecord(bytes)
      if (read !== undefined) expect(encodeRecord(read)).toEqual(bytes)
    }),
  )
})

test("[B-9] unknown flags and kinds, a pending change of theirs, and text where none belongs are refused", () => {
  const theirs = { ...example, isPending: false, change: { ...example.change, by: 7 } }
  expect(decodeRecord(altered(theirs, 5, 5))).toBeUndefined()
  expect(decodeRecord(altered(theirs, 5, 9))).toBeUndefined()
  expect(decodeRecord(altered(example, 5, 11))).toBeUndefined()
  expect(decodeRecord(altered(example, 5, 31))).toBeUndefined()
  expect(decodeRecord(altered(example, 30, 3))).toBeUndefined()
  expect(decodeRecord(altered(example, 30, 1))).toBeUndefined()
  expect(decodeRecord(altered(example, written(example).length - 1, 0xff))).toBeUndefined()
  const reaction = { kind: "reaction", by: null, time: 1, emoji: "x".repeat(64) } as const
  expect(decodeRecord(written({ ...example, change: reaction }))).toBeDefined()
  expect(
    decodeRecord(written({ ...example, change: { ...reaction, emoji: "x".repeat(65) } })),
  ).toBeUndefined()
  expect(
    decodeRecord(written({ ...example, change: { kind: "edit", by: null, time: 1, text: "" } })),
  ).toBeUndefined()
})

test("[B-2] the longest edit fits a record", () => {
  const text = "x".repeat(65_276)
  const record = written({ ...example, change: { kind: "edit", by: null, time: 1, text } })
  expect(record.length).toBeLessThanOrEqual(RECORD_BYTES_MAX)
  expect(decodeRecord(record)).toBeDefined()
})
