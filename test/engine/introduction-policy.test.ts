import * as fc from "fast-check"
import { describe, expect, test } from "vitest"
import {
  afterEvent,
  expiresAt,
  INTRODUCTION_TRANSITIONS,
  isExpired,
  isQuestion,
  isSentTo,
  isUnderWay,
  mayAsk,
  surplus,
} from "../../src/engine/contacts/introduction-policy.ts"
import type { IntroductionRecord } from "../../src/store/introduction-record.ts"
import { DAY_MS, HOUR_MS } from "../../src/time-units.ts"

const NOW = 1_800_000_000_000
const ALICE = 1

function record(changed: Partial<IntroductionRecord>): IntroductionRecord {
  return {
    ...{ id: 1, role: "owner", state: "asked", contact: ALICE, initiator: null, since: NOW },
    ...{ account: account(1), name: "bob", bundle: new Uint8Array(0) },
    ...changed,
  }
}

function account(number: number): Uint8Array {
  return new Uint8Array(32).fill(number)
}

const roles = ["introducer", "owner", "initiator"] as const
const states = ["asked", "agreed", "introduced", "answered", "refused"] as const
const anyRecord = fc
  .record({
    id: fc.nat({ max: 500 }),
    role: fc.constantFrom(...roles),
    state: fc.constantFrom(...states),
    contact: fc.constantFrom(ALICE, 2),
    account: fc.nat({ max: 9 }).map(account),
    since: fc.integer({ min: NOW - 40 * DAY_MS, max: NOW + DAY_MS }),
  })
  .map(record)

describe("[D-80] [D-81] the states of an introduction", () => {
  test("the introducer asks, the owner agrees, the initiator is told", () => {
    const asked = record({ role: "introducer" })
    const bundle = new Uint8Array(1402)
    const agreed = afterEvent(asked, "the owner agrees", { bundle })
    expect(agreed).toEqual({ ...asked, state: "agreed", bundle })
    expect(agreed && afterEvent(agreed, "we tell the initiator")?.state).toBe("introduced")
  })

  test("the owner agrees, and meets the initiator", () => {
    const agreed = afterEvent(record({}), "we agree")
    expect(agreed?.state).toBe("agreed")
    expect(agreed && afterEvent(agreed, "we have met")?.state).toBe("answered")
  })

  test("a refusal and an answer are the end", () => {
    expect(afterEvent(record({}), "we refuse")?.state).toBe("refused")
    expect(afterEvent(record({ role: "initiator", state: "introduced" }), "we refuse")?.state).toBe("refused")
    expect(INTRODUCTION_TRANSITIONS.answered).toEqual({})
    expect(INTRODUCTION_TRANSITIONS.refused).toEqual({})
  })

  test("no second answer counts, nor one that was not asked for", () => {
    const agreed = record({ state: "agreed" })
    expect(afterEvent(agreed, "the owner agrees")).toBeUndefined()
    expect(afterEvent(agreed, "we refuse")).toBeUndefined()
    expect(afterEvent(record({ state: "refused" }), "we agree")).toBeUndefined()
    expect(afterEvent(record({ state: "introduced" }), "we agree")).toBeUndefined()
    expect(afterEvent(record({}), "the bundle is answered")).toBeUndefined()
  })

  test("a person is asked as the owner before the bundle, and as the initiator after it", () => {
    const questions = roles.flatMap((role) =>
      states.filter((state) => isQuestion(record({ role, state }))).map((state) => [role, state]),
    )
    expect(questions).toEqual([
      ["owner", "asked"],
      ["initiator", "introduced"],
    ])
  })

  test("of each state the step that went out last, and to whom, is known", () => {
    const BOB = 2
    const sent = roles.flatMap((role) =>
      states.flatMap((state) => {
        const one = record({ role, state, initiator: BOB })
        return [ALICE, BOB, 3].filter((to) => isSentTo(one, to)).map((to) => [role, state, to])
      }),
    )
    expect(sent).toEqual([
      ["introducer", "asked", ALICE],
      ["introducer", "introduced", BOB],
      ["owner", "agreed", ALICE],
    ])
  })

  test("questions end after seven days, and the wait of an introducer after 30", () => {
    expect(expiresAt(record({}))).toBe(NOW + 7 * DAY_MS)
    expect(expiresAt(record({ role: "initiator" }))).toBe(NOW + 7 * DAY_MS)
    expect(expiresAt(record({ role: "introducer" }))).toBe(NOW + 30 * DAY_MS)
    expect(isExpired(record({}), NOW + 7 * DAY_MS)).toBe(false)
    expect(isExpired(record({}), NOW + 7 * DAY_MS + 1)).toBe(true)
    expect(isUnderWay(record({}), NOW + 7 * DAY_MS)).toBe(true)
    expect(isUnderWay(record({}), NOW + 7 * DAY_MS + 1)).toBe(false)
    for (const state of ["answered", "refused"] as const)
      expect(isUnderWay(record({ state }), NOW)).toBe(false)
  })
})

describe("[D-82] how much an introducer may ask", () => {
  const asked = { contact: ALICE, account: account(200) }
  const many = (count: number, changed: Partial<IntroductionRecord> = {}) =>
    Array.from({ length: count }, (_, n) => record({ id: n + 1, account: account(n + 1), ...changed }))

  test("four questions may be open", () => {
    expect(mayAsk(many(3), asked, NOW)).toBe(true)
    expect(mayAsk(many(4), asked, NOW)).toBe(false)
    expect(mayAsk(many(4, { role: "initiator", state: "introduced" }), asked, NOW)).toBe(false)
    expect(mayAsk(many(4, { contact: 2 }), asked, NOW)).toBe(true)
    expect(mayAsk(many(4, { role: "introducer" }), asked, NOW)).toBe(true)
    expect(mayAsk(many(4, { state: "refused" }), asked, NOW)).toBe(true)
    expect(mayAsk(many(4), asked, NOW + 7 * DAY_MS + 1)).toBe(true)
  })

  test("eight may come within an hour, by a clock that may have been set back", () => {
    expect(mayAsk(many(7, { state: "refused" }), asked, NOW)).toBe(true)
    expect(mayAsk(many(8, { state: "refused" }), asked, NOW)).toBe(false)
    expect(mayAsk(many(8, { state: "refused" }), asked, NOW + HOUR_MS - 1)).toBe(false)
    expect(mayAsk(many(8, { state: "refused" }), asked, NOW + HOUR_MS)).toBe(true)
    expect(mayAsk(many(8, { state: "refused" }), asked, NOW - 1)).toBe(true)
  })

  test("an account is asked about once in seven days, in whichever part", () => {
    for (const state of states) {
      const known = [record({ account: asked.account, state, role: "initiator" })]
      expect(mayAsk(known, asked, NOW)).toBe(false)
      expect(mayAsk(known, asked, NOW + 7 * DAY_MS + 1)).toBe(true)
    }
    expect(mayAsk([record({ account: asked.account, contact: 2 })], asked, NOW)).toBe(true)
    expect(mayAsk([record({ account: asked.account, role: "introducer" })], asked, NOW)).toBe(true)
  })

  test("of 64 that are over the oldest goes for one more, by its number", () => {
    const over = many(64, { state: "refused" }).reverse()
    expect(surplus(over, NOW)).toEqual([{ kind: "introduction-done", id: 1 }])
    expect(surplus(over.slice(1), NOW)).toEqual([])
    expect(surplus(many(64), NOW)).toEqual([])
  })

  test("with what is removed, 64 are kept at most; what is under way stays, and the newest of the rest", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyRecord, { selector: ({ id }) => id, minLength: 50, maxLength: 90 }),
        (records) => {
          const removed = new Set(surplus(records, NOW).map(({ id }) => id))
          const over = records.filter((one) => !isUnderWay(one, NOW))
          const mustGo = Math.max(0, records.length + 1 - 64)
          expect(removed.size).toBe(Math.min(mustGo, over.length))
          for (const one of records) if (removed.has(one.id)) expect(isUnderWay(one, NOW)).toBe(false)
          const kept = over.filter(({ id }) => !removed.has(id)).map(({ id }) => id)
          for (const id of removed) for (const left of kept) expect(id).toBeLessThan(left)
        },
      ),
    )
  })
})
