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
const ARROW = /^( *)→ /gm

/** For rows of our own words. */
export function asciiMarks(row: SafeText): SafeText {
  return MARKS.reduce<string>((text, [mark, ascii]) => text.replaceAll(mark, ascii), row) as SafeText
}

/** For rows that hold what others wrote, which stays as it is: only our margins and arrows change. */
export function asciiMargins(row: SafeText): SafeText {
  return row.replaceAll(`\n${MESSAGE_MARGIN}`, "\n      | ").replace(ARROW, "$1-> ") as SafeText
}
