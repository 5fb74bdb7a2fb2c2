import { expect, it } from "vitest"
import { display, displayName } from "../../src/wire/text.ts"

const LF = "\n"
/** One of each class that the cleaning treats differently; the two halves are those of U+E0001, which is removed. */
const CLASSES = {
  "high surrogate": "\udb40",
  "low surrogate": "\udc01",
  "soft hyphen": "\u00ad",
  "zero width space": "\u200b",
  "word joiner": "\u2060",
  "byte order mark": "\ufeff",
  annotation: "\ufff9",
  tag: "\u{e0041}",
  mark: "\u0301",
  joiner: "\u200d",
  control: "\u001b",
  "C1 control": "\u009b",
  "bidirectional control": "\u202e",
  CR: "\r",
  LF,
  ASCII: "e",
}
const LENGTH_MAX = 4

const REMOVED = /[\u00ad\u200b\u2060\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/u
const REPLACED =
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Surrogate}/u
const FOUR_MARKS = /(?:\p{M}[\u200c\u200d]*){4}/u

function* sequences(length: number): Generator<string> {
  if (length === 0) return
  for (const first of Object.values(CLASSES)) {
    yield first
    for (const rest of sequences(length - 1)) yield first + rest
  }
}

/** What is wrong with the text as it is shown, or undefined. */
function faultOf(shown: string, again: string): string | undefined {
  if (REMOVED.test(shown)) return "holds what is removed"
  if (REPLACED.test(shown)) return "holds what is replaced"
  if (FOUR_MARKS.test(shown)) return "piles marks"
  return again === shown ? undefined : "changes when it is cleaned again"
}

/** The gutter of a further row is ours: what is cleaned again is each row alone. */
function eachRow(shown: string): string {
  return shown.split(LF).map(display).join(LF)
}

function faults(base: string): string[] {
  return [...sequences(LENGTH_MAX)].flatMap((sequence) => {
    const text = base + sequence
    const [message, name] = [display(text), displayName(text)]
    const found = [faultOf(message, eachRow(message)), faultOf(name, displayName(name))]
    if (name.includes(LF)) found.push("has a second row")
    return found.filter((fault) => fault !== undefined).map((fault) => `${JSON.stringify(text)} ${fault}`)
  })
}

it("no order of four characters brings out what is removed or replaced, and a second cleaning changes nothing [W-80]", () => {
  expect(faults("").slice(0, 5)).toEqual([])
})

it("nor does one after two marks, of which no more than three stay [W-80]", () => {
  expect(faults("a\u0301\u0301").slice(0, 5)).toEqual([])
})

it("two halves that an invisible character kept apart do not become one that is removed [W-80]", () => {
  expect(display("\udb40\u200b\udc01")).toBe("\ufffd\ufffd")
  expect(displayName("bob\udb40\u2060\udc01")).toBe("bob\ufffd\ufffd")
})

it("a name is composed after what kept its parts apart is gone [W-82]", () => {
  expect(displayName("Zoe\u200b\u0308")).toBe("Zo\u00eb")
})
