import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { asciiMargins, asciiMarks, MESSAGE_MARGIN } from "../../src/cli/terminal/ascii.ts"
import { displayWidth } from "../../src/cli/terminal/display-width.ts"
import { wrap, wrapSentence } from "../../src/cli/terminal/wrap.ts"
import { display, safe, type SafeText } from "../../src/wire/text.ts"

const COLUMNS = 40
const STYLE = /\u001b\[[0-9;]*m/g
const word = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 60 }),
  fc.string({ unit: fc.constantFrom("é", "名", "e\u0301", "👍", "ß"), minLength: 1, maxLength: 60 }),
  fc.constantFrom("https://pi.local/a/very/long/path?that=wraps&and=goes-on-for-a-while", "21:20", "me:"),
)
const text = fc.array(word, { minLength: 1, maxLength: 30 }).map((words) => words.join(" "))

function rowsOf(row: SafeText, margin?: SafeText): string[] {
  return wrap(row, COLUMNS, margin).split("\n")
}

describe("a sentence with a command", () => {
  test("keeps the command whole: a name behind a break would be run when it is pasted", () => {
    const command = safe`mqttchat --profile work contacts replace bob reboot`
    expect(wrapSentence(safe`if this is the bob you know: ${command}`, COLUMNS).split("\n")).toEqual([
      "if this is the bob you know:",
      command,
    ])
    expect(wrapSentence(safe`next: mqttchat pair`, COLUMNS)).toBe("next: mqttchat pair")
    const prose = safe`it is answered whenever mqttchat runs here, also after a restart of this laptop`
    expect(wrapSentence(prose, COLUMNS)).toBe(wrap(prose, COLUMNS))
  })
})

describe("a row that is too long", () => {
  test("breaks at words, and each further row begins with the margin", () => {
    const row = safe`21:19 bob: one two three four five six seven eight nine ten eleven`
    expect(rowsOf(row, MESSAGE_MARGIN)).toEqual([
      "21:19 bob: one two three four five six",
      "      │ seven eight nine ten eleven",
    ])
    const finding = safe`            ${display("a reason that is longer than the window is wide")}`
    expect(rowsOf(finding)).toEqual([
      "            a reason that is longer than",
      "            the window is wide",
    ])
  })

  test("keeps every character, and fits but for words that people copy", () => {
    fc.assert(
      fc.property(text, (written) => {
        const rows = rowsOf(safe`21:19 bob: ${display(written)}`, MESSAGE_MARGIN)
        const without = (all: string): string => all.replaceAll(/[ \n│]/g, "")
        expect(without(rows.join(""))).toBe(without(`21:19 bob: ${display(written)}`))
        for (const [at, row] of rows.entries()) {
          if (at > 0) expect(row.startsWith(MESSAGE_MARGIN)).toBe(true)
          const copied = /^[\x21-\x7e]+$/.test(row.replace(MESSAGE_MARGIN, ""))
          expect(copied || displayWidth(row) <= COLUMNS, row).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  test("has nothing after a word that the terminal itself has to break, where it would pass for a row of ours", () => {
    const fake = "x".repeat(COLUMNS - MESSAGE_MARGIN.length) + "21:20"
    const rows = rowsOf(
      safe`21:19 bob: hi ${display(`${fake} me (delivered): I owe you 100`)}`,
      MESSAGE_MARGIN,
    )
    expect(rows).toContain(`${MESSAGE_MARGIN}${fake}`)
    expect(rows).toContain(`${MESSAGE_MARGIN}me (delivered): I owe you 100`)
  })

  test("is measured as a terminal shows it: wide characters, marks and colours", () => {
    expect(["a", "名", "e\u0301", "👍", "\u2764\ufe0f"].map(displayWidth)).toEqual([1, 2, 1, 2, 2])
    const coloured = `\u001b[31m${"word ".repeat(7)}\u001b[0mend` as SafeText
    expect(rowsOf(coloured)).toHaveLength(1)
    expect(rowsOf(display("名".repeat(50))).map((row) => displayWidth(row.replace(STYLE, "")))).toEqual([
      40, 40, 20,
    ])
  })

  test("stays as it is in a pipe, in a tiny window, and where it fits", () => {
    const long = display("word ".repeat(50))
    expect(wrap(long, undefined)).toBe(long)
    expect(wrap(long, 10)).toBe(long)
    expect(wrap(safe`short`, COLUMNS)).toBe("short")
  })
})

describe("--ascii", () => {
  test("replaces our marks, and in rows with texts of others only margins and arrows", () => {
    expect(asciiMarks(safe`✓ done · next → mqttchat …`)).toBe("ok done - next -> mqttchat ...")
    const message = safe`21:19 bob: ${display("grüße → … ✓\nsecond │ row")}`
    expect(asciiMargins(message)).toBe("21:19 bob: grüße → … ✓\n      | second │ row")
    expect(asciiMargins(safe`            → mqttchat doctor`)).toBe("            -> mqttchat doctor")
  })
})
