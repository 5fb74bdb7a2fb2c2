import { randomBytes } from "node:crypto"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { Random } from "../../src/crypto/bytes.ts"
import { makeCode, parseCode } from "../../src/pairing/code.ts"
import { fourWords, nearestWord, WORDS } from "../../src/pairing/words.ts"

const chance: Random = (length) => new Uint8Array(randomBytes(length))

describe("a code", () => {
  it("is a nameplate and words of the list, and reads back unchanged [P-1]", () => {
    for (const words of [2, 3] as const) {
      for (let i = 0; i < 200; i++) {
        const code = makeCode(words, chance)
        expect(code.text.split("-")).toHaveLength(words + 1)
        expect(parseCode(code.text)).toEqual({ kind: "code", code, at: undefined })
      }
    }
  })

  it("covers the first and last nameplate and word", () => {
    const zeros: Random = (length) => new Uint8Array(length)
    expect(makeCode(2, zeros)).toEqual({ nameplate: 1, text: "1-abandon-abandon" })
    const last: Random = (length) => {
      const bytes = Buffer.alloc(length)
      bytes.writeUIntBE(2048 * 9999 - 1, 0, length)
      return bytes
    }
    expect(makeCode(3, last)).toEqual({ nameplate: 9999, text: "9999-zoo-zoo-zoo" })
  })

  it("may be typed as it is spoken [P-1]", () => {
    const meant = { kind: "code", code: { nameplate: 7, text: "7-crowd-river" }, at: undefined }
    for (const typed of ["7-crowd-river", " 7 Crowd River\n", "7-CROWD- river", "７ crowd river"]) {
      expect(parseCode(typed)).toEqual(meant)
    }
  })

  it("may name the broker after an @ [W-40]", () => {
    expect(parseCode("7-crowd-river@192.168.1.20")).toMatchObject({
      at: { host: "192.168.1.20", port: 8883 },
    })
    expect(parseCode("7 crowd river@[FE80::1]:1884")).toMatchObject({ at: { host: "fe80::1", port: 1884 } })
    for (const typed of [
      "7-crowd-river@",
      "7-crowd-river@a@b",
      "7-crowd-river@pi:0",
      "7-crowd-river@pi:99999",
    ]) {
      expect(parseCode(typed)).toEqual({
        kind: "bad",
        why: "the @ of a code is followed by HOST or HOST:PORT",
      })
    }
  })

  it("with a mistyped word is refused with the probable code [P-1]", () => {
    expect(parseCode("7-crwod-river")).toEqual({
      kind: "bad",
      why: '"crwod" is not a code word',
      suggestion: "7-crowd-river",
    })
    expect(parseCode("7-xylophones-river")).toEqual({ kind: "bad", why: '"xylophones" is not a code word' })
  })

  it.each([
    "",
    "crowd-river",
    "7",
    "7-crowd",
    "7-crowd-river-river-river",
    "0-crowd-river",
    "07-crowd-river",
  ])("is not %j", (typed) => {
    expect(parseCode(typed)).toEqual({
      kind: "bad",
      why: "a code is a number and two or three words, like 7-crowd-river",
    })
  })

  it("parses any text without a fault, and at most 320 characters of it", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (typed) => parseCode(typed).kind === "bad"))
    expect(parseCode("7-crowd-river".padEnd(320))).toMatchObject({ kind: "code" })
    expect(parseCode("7-crowd-river".padEnd(321))).toMatchObject({ kind: "bad" })
  })
})

describe("a word that a stranger made long", () => {
  it("is refused without a suggestion, and not repeated in full", () => {
    const long = "a".repeat(300)
    expect(parseCode(`7-${long}-river`)).toEqual({
      kind: "bad",
      why: `"${"a".repeat(16)}…" is not a code word`,
    })
  })

  it("is bounded after normalization, which makes 18 characters of one", () => {
    expect(parseCode(`7-${"\ufdfa".repeat(300)}-river`)).toEqual({
      kind: "bad",
      why: "that is too long for a code",
    })
  })

  it("is compared with no word of the list", () => {
    let compared = 0
    const words = function* (): Generator<string> {
      for (const word of WORDS) {
        compared++
        yield word
      }
    }
    expect(nearestWord("r".repeat(11), words())).toBeUndefined()
    expect(compared).toBe(0)
    expect(nearestWord("rivver", words())).toBe("river")
    expect(compared).toBe(WORDS.length)
  })
})

describe("the four words", () => {
  it("are the first 44 bits, first bit first [P-30]", () => {
    expect(fourWords(new Uint8Array(32))).toEqual(["abandon", "abandon", "abandon", "abandon"])
    expect(fourWords(new Uint8Array(32).fill(0xff))).toEqual(["zoo", "zoo", "zoo", "zoo"])
    const bits = [3, 2047, 0, 1024].map((index) => index.toString(2).padStart(11, "0")).join("") + "1111"
    const sas = Buffer.alloc(32)
    sas.writeUIntBE(parseInt(bits, 2), 0, 6)
    expect(fourWords(sas)).toEqual([WORDS[3], "zoo", "abandon", WORDS[1024]])
  })
})

describe("the suggested word", () => {
  it("is at most two typing errors away", () => {
    expect(nearestWord("rivver")).toBe("river")
    expect(nearestWord("ocaen")).toBe("ocean")
    expect(nearestWord("qqqqqqqq")).toBeUndefined()
  })
})
