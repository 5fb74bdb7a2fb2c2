import fc from "fast-check"
import { expect, test } from "vitest"
import type { PublicKey } from "../../src/crypto/bytes.ts"
import {
  afterAnswer,
  decodeRecord,
  encodeRecord,
  isInTrouble,
  type LedgerRecord,
} from "../../src/engine/connection/ledger-record.ts"

const REGISTRAR = new Uint8Array(32).fill(1) as PublicKey

/** A ledger as its links: two that share their first entries have the same links there. */
function ledgerOf(
  ...branches: readonly { readonly entries: number; readonly branch: number }[]
): Uint8Array[] {
  const links = [new Uint8Array(32)]
  for (const { entries, branch } of branches) {
    for (let n = 0; n < entries; n++) {
      const link = new Uint8Array(links.at(-1)!)
      link[0] = links.length
      link[1] = branch
      links.push(link)
    }
  }
  return links
}

function ask(record: LedgerRecord | undefined, ledger: readonly Uint8Array[], now: number): LedgerRecord {
  const known = record?.number ?? 0
  const number = ledger.length - 1
  const linkAtKnown = ledger[known] ?? new Uint8Array(32)
  const view = { number, link: ledger[number]!, linkAtKnown }
  return afterAnswer(record, { registrar: REGISTRAR, known, view, now })
}

const length = fc.nat({ max: 20 })

test("a ledger that only grew is whole, and any other one is noticed: shorter, or on another branch [R-16]", () => {
  fc.assert(
    fc.property(length, length, length, fc.boolean(), (shared, more, other, sameBranch) => {
      const first = ledgerOf({ entries: shared, branch: 1 }, { entries: more, branch: 2 })
      const second = ledgerOf({ entries: shared, branch: 1 }, { entries: other, branch: sameBranch ? 2 : 3 })
      const record = ask(ask(undefined, first, 1), second, 2)
      const isExtension = more === 0 || (sameBranch && other >= more)
      expect(isInTrouble(record)).toBe(!isExtension)
      if (isExtension)
        expect(record).toMatchObject({ number: shared + other, confirmedAt: 2, trouble: undefined })
      else {
        expect(record).toMatchObject({ number: shared + more, confirmedAt: 1 })
        expect(record.trouble).toEqual({
          kind: other < more ? "rolled-back" : "forked",
          isCurrent: true,
          ...{ since: 2, last: 2, number: shared + other },
        })
      }
    }),
    { numRuns: 500 },
  )
})

test("an answer to a request that named an older number changes nothing", () => {
  const ledger = ledgerOf({ entries: 5, branch: 1 })
  const record = ask(undefined, ledger, 1)
  const stale = { number: 2, link: ledger[2]!, linkAtKnown: ledger[1]! }
  expect(afterAnswer(record, { registrar: REGISTRAR, known: 1, view: stale, now: 2 })).toBe(record)
})

test("whether there is trouble now does not depend on the clock, which may be put back [R-16]", () => {
  const [whole, short] = [ledgerOf({ entries: 5, branch: 1 }), ledgerOf({ entries: 3, branch: 1 })]
  const time = fc.nat({ max: 1_000 })
  fc.assert(
    fc.property(time, fc.array(fc.tuple(fc.boolean(), time), { minLength: 1 }), (start, answers) => {
      let record = ask(undefined, whole, start)
      for (const [isShort, now] of answers) {
        record = ask(record, isShort ? short : whole, now)
        expect(isInTrouble(record)).toBe(isShort)
      }
      expect(record.trouble !== undefined, "it is not forgotten").toBe(answers.some(([isShort]) => isShort))
    }),
  )
})

test("another registrar has a ledger of its own", () => {
  const record = ask(undefined, ledgerOf({ entries: 5, branch: 1 }), 1)
  const registrar = new Uint8Array(32).fill(2) as PublicKey
  const view = { number: 1, link: new Uint8Array(32).fill(9), linkAtKnown: new Uint8Array(32) }
  expect(afterAnswer(record, { registrar, known: 0, view, now: 2 })).toMatchObject({
    ...{ registrar, number: 1, trouble: undefined },
  })
})

test("a record reads back unchanged, and other bytes are none", () => {
  const time = fc.nat({ max: Number.MAX_SAFE_INTEGER })
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const trouble = fc.record({
    kind: fc.constantFrom("rolled-back" as const, "forked" as const),
    isCurrent: fc.boolean(),
    ...{ since: time, last: time, number: time },
  })
  const records = fc.record({
    registrar: bytes.map((key) => key as PublicKey),
    ...{ number: time, link: bytes, confirmedAt: time },
    trouble: fc.option(trouble, { nil: undefined }),
  })
  fc.assert(
    fc.property(records, (record) => {
      expect(decodeRecord(encodeRecord(record))).toEqual(record)
    }),
  )
  expect(decodeRecord(new Uint8Array())).toBeUndefined()
})
