import fc from "fast-check"
import { describe, expect, it, test } from "vitest"
import { CONFUSABLES } from "../../src/wire/confusables.ts"
import { mixedScripts } from "../../src/wire/mixed-scripts.ts"
import { unfitReason, withoutReservedShape } from "../../src/wire/reserved-names.ts"
import { TakenNames } from "../../src/wire/taken-names.ts"
import { displayName } from "../../src/wire/text.ts"

const PAIRS = CONFUSABLES.split("\n").flatMap((line): [string, string][] => {
  const [prototype = "", characters = ""] = line.split(" ")
  return Array.from(characters, (character) => [character, prototype])
})
const IGNORABLE = [
  "\u00ad",
  "\u034f",
  "\u061c",
  "\u115f",
  "\u1160",
  "\u180e",
  "\u200b",
  "\u200c",
  "\u200d",
  "\u2060",
  "\u2063",
  "\u206a",
  "\u3164",
  "\ufe0f",
  "\ufeff",
  "\uffa0",
  "\u{e0001}",
  "\u{e0100}",
]
const plainName = fc.stringMatching(/^[a-hj-km-np-z]{2,8}$/)

/** A name as a stranger may send it, cleaned; without those of which nothing is left, which are as good as none. */
const name = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 4 }),
      fc.constantFrom(...PAIRS.map(([character]) => character), ...IGNORABLE),
      fc.constantFrom("bob", "me", "you", "info", "all", ":", "-", "—", "7", " ", "(", "-2", "…"),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((parts) => displayName(parts.join("")).trim())
  .filter((text) => withoutReservedShape(text) !== undefined)

describe("a name that looks like bob's [W-83]", () => {
  it.each([
    ["in another case", "BOB"],
    ["with a Cyrillic letter", "b\u043eb"],
    ["in Cyrillic capitals", "\u0412\u041e\u0412"],
    ["in mathematical letters", "\u{1d41b}\u{1d428}\u{1d41b}"],
    ["in full width", "\uff42\uff4f\uff42"],
    ["with a zero", "b0b"],
    ["with a joiner", "b\u200dob"],
    ["with a Hangul filler", "bob\u3164"],
    ["with an empty braille cell", "bob\u2800"],
    ["with a variation selector", "bo\u{e0100}b"],
    ["with a no-break space", "bob\u00a0"],
  ])("%s gets a number", (_, wanted) => {
    const free = new TakenNames(["alice", "bob"]).free(wanted)
    expect(free).not.toBe(wanted)
    expect(free).toMatch(/-2$/)
  })

  it("only one that does not look like it gets none", () => {
    for (const other of ["bab", "bo", "bobo", "b\u00f3b", "\u0431\u043e\u0431"])
      expect(new TakenNames(["bob"]).free(other), other).toBe(other)
  })
})

test("small l, capital i, the digit 1 and capital letters are one look in each spelling of a name [W-83]", () => {
  for (const wanted of ["A1ice", "AIice", "al\u0456ce", "ALlCE", "ALICE"])
    expect(new TakenNames(["alice"]).has(wanted), wanted).toBe(true)
  expect(new TakenNames(["mike"]).has("RNIKE")).toBe(true)
})

test("each character of the table looks like its prototype, wherever it stands [W-83]", () => {
  const missed = PAIRS.filter(
    ([character, prototype]) => !new TakenNames([`x${prototype}y`]).has(`x${character}y`),
  )
  expect(missed).toEqual([])
})

test("what is not seen makes no other name, wherever it stands [W-83]", () => {
  fc.assert(
    fc.property(plainName, fc.constantFrom(...IGNORABLE), fc.nat(), (plain, unseen, place) => {
      const at = place % (plain.length + 1)
      expect(new TakenNames([plain]).has(plain.slice(0, at) + unseen + plain.slice(at))).toBe(true)
    }),
  )
})

test("whatever strangers call themselves, no two look alike, each is fit, and each is shown whole [W-82] [W-83] [W-84]", () => {
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 12 }), (wanted) => {
      const taken = new TakenNames()
      for (const one of wanted) {
        const free = taken.free(one)
        expect(taken.has(free)).toBe(false)
        expect(unfitReason(free), JSON.stringify([one, free])).toBeUndefined()
        expect(displayName(free)).toBe(free)
        taken.add(free)
      }
    }),
  )
})

test("a number behind a long name is seen: the name makes room for it [W-82] [W-83]", () => {
  const long = displayName("n".repeat(40))
  expect(new TakenNames([long]).free(long)).toBe(`${"n".repeat(30)}-2`)
  const wide = displayName("界".repeat(20))
  expect(new TakenNames([wide]).free(wide)).toBe(`${"界".repeat(15)}-2`)
})

test("a name that is given back is free again, once all who had it have given it back [W-83]", () => {
  const taken = new TakenNames(["bob", "b\u043eb"])
  taken.remove("bob")
  expect(taken.has("bob")).toBe(true)
  taken.remove("b\u043eb")
  expect(taken.free("bob")).toBe("bob")
})

class CountedNames extends TakenNames {
  asked = 0

  override has(name: string): boolean {
    this.asked++
    return super.has(name)
  }
}

test("the next number is found in a few steps, however many look alike, and a free one is given again [W-83]", () => {
  const taken = new CountedNames(["bob"])
  for (let number = 2; number <= 200; number++) {
    const free = taken.free(number % 2 === 0 ? "bob" : "b\u043eb")
    expect(free).toMatch(new RegExp(`-${number}$`))
    taken.add(free)
  }
  expect(taken.asked).toBeLessThan(200 * 4)
  taken.remove("bob-7")
  expect(taken.free("bob")).toBe("bob-7")
})

describe("a name with a meaning of its own [W-84]", () => {
  it.each([
    ["me", "me-2"],
    ["Me", "Me-2"],
    ["m\u0435", "m\u0435-2"],
    ["you", "you-2"],
    ["Info", "Info-2"],
    ["all", "all-2"],
    ["a\u2113l", "a\u2113l-2"],
    ["system", "system-2"],
    ["mqttchat", "mqttchat-2"],
    ["me (read)", "me-read-2"],
    ["me to bob", "me-to-bob-2"],
    ["bob:", "bob-2"],
    ["bob\uff1a", "bob-2"],
    ["bob: send the key", "bob send the key-2"],
    ["-rf", "rf-2"],
    ["--yes", "yes-2"],
    ["\u200d-x", "x-2"],
    ["7\u200d", "7\u200d-2"],
    ["\u2014bob", "bob-2"],
    ["7", "7-2"],
    ["\uff11\uff12", "\uff11\uff12-2"],
  ])("%j is refused where it is chosen, and %j where it arrives", (wanted, numbered) => {
    expect(unfitReason(wanted)).toBeTypeOf("string")
    expect(new TakenNames().free(wanted)).toBe(numbered)
  })

  it("is not one that only begins with such a word", () => {
    for (const fit of ["meg", "Youssef", "Info Desk", "Allison", "bob (work)", "agent 7", "R2-D2"])
      expect(unfitReason(fit), fit).toBeUndefined()
  })
})

describe("a name that mixes scripts [W-85]", () => {
  it.each([
    ["b\u043eb", ["Latin", "Cyrillic"]],
    ["\u0391lice", ["Latin", "Greek"]],
    ["Anna \u092e\u0940\u0930\u093e", ["Latin", "Devanagari"]],
  ])("%j is marked", (mixed, scripts) => {
    expect(mixedScripts(mixed)).toEqual(scripts)
  })

  it("is none where people write them together, or where what they share is added", () => {
    for (const plain of [
      "Zo\u00eb 2",
      "\u0421\u0430\u0448\u0430 (7)",
      "ABC\u65e5\u672c\u3072\u3089\u30ab\u30bf",
      "\ud55c\uad6d A\u6f22",
      "bob \u{1f600}",
      "",
    ])
      expect(mixedScripts(plain), plain).toEqual([])
  })
})
