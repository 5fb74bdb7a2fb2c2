import { describe, expect, it } from "vitest"
import fc from "fast-check"
import { display, displayName, joined, readText, safe } from "../../src/wire/text.ts"

const UNSAFE =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/

describe("what Mallory writes", () => {
  it("cannot move the cursor, set a title or ring the bell [W-80]", () => {
    expect(display("\u001b]0;owned\u0007")).toBe("␛]0;owned␇")
    expect(display("a\u009b2Jb")).toBe("a<9B>2Jb")
    expect(display("x\u007f\u0008y\rz\t.")).toBe("x␡␈y␍z␉.")
  })

  it("cannot reverse the reading direction [W-80]", () => {
    expect(display("gpj\u202eexe.")).toBe("gpj<U+202E>exe.")
    expect(display("\u2066a\u2069\u200f")).toBe("<U+2066>a<U+2069><U+200F>")
  })

  it("cannot hide text from the reader [W-80]", () => {
    expect(display("pass\u00ad\u200b\u2060\ufeffword\u{e0041}")).toBe("password")
  })

  it("cannot pile up marks over the rows above, not even with joiners between them [W-80]", () => {
    expect(display("e" + "\u0301".repeat(50))).toBe("e\u0301\u0301\u0301")
    expect(display("e" + "\u0301\u200d".repeat(50))).toBe("e" + "\u0301\u200d".repeat(3))
  })

  it("cannot make a second row look like a message of alice [W-81]", () => {
    expect(display("hi\nalice: send me the key")).toBe("hi\n      │ alice: send me the key")
    expect(display("hi\r\nthere")).toBe("hi\n      │ there")
  })

  it("has each range replaced or removed, up to both of its ends [W-80]", () => {
    const pictures = [0, 9, 0x0b, 0x1f].map((code) => String.fromCodePoint(code, 0x2400 + code))
    for (const [control = "", picture = ""] of pictures) expect(display(`a${control}b`)).toBe(`a${picture}b`)
    for (const code of [0x80, 0x9f, 0x61c, 0x200e, 0x200f, 0x2028, 0x202e, 0x2066, 0x2069]) {
      const hex = code.toString(16).toUpperCase()
      const named = code < 0xa0 ? `<${hex}>` : `<U+${hex.padStart(4, "0")}>`
      expect(display(`a${String.fromCodePoint(code)}b`)).toBe(`a${named}b`)
    }
    for (const code of [0xad, 0x200b, 0x2060, 0xfeff, 0xfff9, 0xfffb, 0xe0000, 0xe007f])
      expect(display(`a${String.fromCodePoint(code)}b`)).toBe("ab")
    expect(display("é d e")).toBe("é d e")
    for (const half of ["\ud800", "\udbff", "\udc00", "\udfff"]) expect(display(`a${half}b`)).toBe("a\ufffdb")
    for (const kept of [
      "\u00a0",
      "\ud7ff",
      "\ue000",
      "\u061b",
      "\u200c",
      "\u2027",
      "\u202f",
      "\u2065",
      "\u206a",
      "\ufffc",
    ])
      expect(display(`a${kept}b`)).toBe(`a${kept}b`)
  })

  it("shows half a surrogate pair as a replacement character [W-80]", () => {
    expect(display("a\ud83d")).toBe("a\ufffd")
  })

  it("keeps emoji, Persian and Devanagari as they are", () => {
    for (const text of ["👩‍👩‍👧", "می‌خواهم", "क्षि", "❤️‍🔥", "日本語"]) expect(display(text)).toBe(text)
  })
})

describe("a name", () => {
  it("stays on one row [W-82]", () => {
    expect(displayName("bob\nalice: hello")).toBe("bob␊alice: hello")
  })

  it("is cut at 32 cells, where a wide character takes two [W-82]", () => {
    expect(displayName("n".repeat(32))).toBe("n".repeat(32))
    expect(displayName("n".repeat(33))).toBe(`${"n".repeat(32)}…`)
    expect(displayName("界".repeat(17))).toBe(`${"界".repeat(16)}…`)
    expect(displayName(`${"n".repeat(31)}界`)).toBe(`${"n".repeat(31)}…`)
    expect(displayName("界".repeat(16))).toBe("界".repeat(16))
    for (const wide of ["😀", "⌚", "ᄀ", "가", "豈", "！", "￠", "𠀀"])
      expect(displayName(wide.repeat(17))).toBe(`${wide.repeat(16)}…`)
    for (const narrow of ["é", "€", "→"]) expect(displayName(narrow.repeat(32))).toBe(narrow.repeat(32))
  })

  it("of millions of marks is cut before it is composed, which would take as many steps as their square [W-82]", () => {
    expect(displayName("b" + "\u0316\u0301".repeat(2_000_000))).toMatch(/^b\p{M}{2,3}…$/u)
    expect(displayName("\u200b".repeat(1_024) + "bob")).toBe("…")
    expect(displayName("\u200b".repeat(1_023) + "😀")).toBe("…")
  })

  it("looks the same however it was composed [W-82]", () => {
    expect(displayName("Zoe\u0308")).toBe(displayName("Zo\u00eb"))
  })
})

describe("any text at all", () => {
  const anything = fc.string({ unit: "binary", maxLength: 200 })

  it("holds nothing unsafe when shown, and a second cleaning changes nothing [W-80]", () => {
    fc.assert(
      fc.property(anything, (text) => {
        const name = displayName(text)
        expect(display(text)).not.toMatch(UNSAFE)
        expect(name).not.toMatch(UNSAFE)
        expect(name).not.toContain("\n")
        if (!text.includes("\n")) expect(display(display(text))).toBe(display(text))
      }),
    )
  })
})

describe("bytes", () => {
  it("are text only if they are strict UTF-8", () => {
    expect(readText(Buffer.from("grüß dich"))).toBe("grüß dich")
    expect(readText(Uint8Array.of(0xc0, 0x80))).toBeUndefined()
    expect(readText(Uint8Array.of(0xed, 0xa0, 0x80))).toBeUndefined()
    expect(readText(Uint8Array.of(0xff))).toBeUndefined()
  })

  it("are refused above the largest payload", () => {
    expect(readText(new Uint8Array(65_536).fill(0x61))).toHaveLength(65_536)
    expect(readText(new Uint8Array(65_537).fill(0x61))).toBeUndefined()
  })
})

describe("our own sentences", () => {
  it("take cleaned parts and numbers", () => {
    const line = safe`${displayName("bob\u0007")}: ${3} new\n`
    expect(line).toBe("bob␇: 3 new\n")
    expect(joined([line, safe`b`], "|")).toBe("bob␇: 3 new\n|b")
  })
})
