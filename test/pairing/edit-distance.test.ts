import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { editDistance, editDistanceWithin } from "../../src/pairing/edit-distance.ts"

const word = fc.stringMatching(/^[abc]{0,7}$/)

describe("the distance between two spellings", () => {
  it.each([
    ["", "", 0],
    ["alice", "alice", 0],
    ["alice", "alic", 1],
    ["alice", "allice", 1],
    ["alice", "alise", 1],
    ["alice", "ailce", 1],
    ["alice", "bob", 5],
    ["", "bob", 3],
  ])("of %o and %o is %i", (from, to, errors) => {
    expect(editDistance(from, to)).toBe(errors)
  })

  it("is the same both ways, and nothing only between equals", () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
      }),
    )
  })

  it("is at least the difference of the lengths and at most the longer one", () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        const errors = editDistance(a, b)
        expect(errors).toBeGreaterThanOrEqual(Math.abs(a.length - b.length))
        expect(errors).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })
})

describe("the distance within a limit", () => {
  it("is the distance, or nothing above the limit", () => {
    fc.assert(
      fc.property(word, word, fc.nat(7), (a, b, max) => {
        const errors = editDistance(a, b)
        expect(editDistanceWithin(a, b, max)).toBe(errors <= max ? errors : undefined)
      }),
    )
  })

  it("is not looked for in a text of a hundred million letters", () => {
    expect(editDistanceWithin("abandon", "a".repeat(100_000_000), 2)).toBeUndefined()
  })
})
