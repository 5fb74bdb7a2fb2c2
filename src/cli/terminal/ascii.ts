import type { SafeText } from "../../wire/text.ts"

/** Our marks outside ASCII, and what stands for each with --ascii. */
const MARKS: readonly (readonly [mark: string, ascii: string])[] = [
  ["✓", "ok"],
  ["→", "->"],
  ["…", "..."],
  ["·", "-"],
  ["│", "|"],
]

/** What begins each further row of a message, as `display` writes it. */
export const MESSAGE_MARGIN = "      │ " as SafeText
/** What begins the rows of ours below a message: what it answers, the reactions, what it said before it was edited. */
export const QUOTE_MARGIN = "      > " as SafeText
export const REACTION_MARGIN = "      + " as SafeText
export const EARLIER_MARGIN = "      < " as SafeText
const NOTE_MARGINS: readonly string[] = [QUOTE_MARGIN, REACTION_MARGIN, EARLIER_MARGIN]

/** The margin of a row that stands below a message and is ours. No row of a text begins so: `display` begins it with `│`. */
export function noteMargin(row: string): string | undefined {
  return NOTE_MARGINS.find((margin) => row.startsWith(margin))
}

/** A text that is quoted ends with it where it was cut. */
const CUT = /^( {6}> .*)…$/gm
const ARROW = /^( *)→ /gm

/** For rows of our own words. */
export function asciiMarks(row: SafeText): SafeText {
  return MARKS.reduce<string>((text, [mark, ascii]) => text.replaceAll(mark, ascii), row) as SafeText
}

/** For rows that hold what others wrote, which stays as it is: only our margins and arrows change. */
export function asciiMargins(row: SafeText): SafeText {
  return row
    .replaceAll(`\n${MESSAGE_MARGIN}`, "\n      | ")
    .replace(CUT, "$1...")
    .replace(ARROW, "$1-> ") as SafeText
}
