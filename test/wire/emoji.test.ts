import fc from "fast-check"
import { expect, test } from "vitest"
import { EMOJI_MAX_BYTES, isEmoji } from "../../src/wire/emoji.ts"

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" })

test.each(["👍", "👍🏽", "🏽", "❤", "❤️", "©", "1️⃣", "#⃣", "🇩🇪", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "👨‍👩‍👧‍👦", "👩🏽‍❤️‍💋‍👨🏿", "🏳️‍🌈"])(
  "[W-63] %s is one emoji",
  (emoji) => {
    expect(isEmoji(emoji)).toBe(true)
    expect([...graphemes.segment(emoji)]).toHaveLength(1)
  },
)

test("[W-63] an emoji that Unicode has not given out yet fits, too", () => {
  expect(isEmoji("\u{1faff}")).toBe(true)
})

test.each([
  ["nothing", ""],
  ["a letter", "a"],
  ["a digit", "1"],
  ["a word", "ok"],
  ["two", "👍👍"],
  ["half a flag", "🇩"],
  ["two flags", "🇩🇪🇫🇷"],
  ["a flag that is joined", "🇩🇪‍👍"],
  ["one joined with a flag", "👍‍🇩🇪"],
  ["one joined with a key", "👍‍1️⃣"],
  ["a blank after it", "👍 "],
  ["a line end after it", "👍\n"],
  ["a joiner alone", "\u200d"],
  ["a joiner at the end", "👍\u200d"],
  ["marks piled on it", "👍\u0301\u0301"],
  ["a direction before it", "\u202e👍"],
  ["tags without an end", "🏴\u{e0067}"],
  ["a lone surrogate", "\ud83d"],
])("[W-63] %s is no emoji", (_what, text) => {
  expect(isEmoji(text)).toBe(false)
})

test("[W-63] an emoji has at most 64 bytes", () => {
  const tagged = (tags: number) => `🏴${"\u{e0067}".repeat(tags)}\u{e007f}`
  expect(Buffer.byteLength(tagged(14))).toBe(EMOJI_MAX_BYTES)
  expect(isEmoji(tagged(14))).toBe(true)
  expect(isEmoji(tagged(15))).toBe(false)
})

test("[W-63] whatever is one emoji is one grapheme cluster", () => {
  const piece = fc.constantFrom(
    "👍",
    "❤",
    "🏽",
    "\ufe0f",
    "\u200d",
    "🇩",
    "🇪",
    "1",
    "\u20e3",
    "\u{e0067}",
    "\u{e007f}",
    "👩",
  )
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
      const text = pieces.join("")
      if (isEmoji(text)) expect([...graphemes.segment(text)], text).toHaveLength(1)
    }),
    { numRuns: 5_000 },
  )
})
