import { noteMargin } from "./ascii.ts"
import { COMMAND_NAMES } from "./command-names.ts"
import { displayWidth } from "./display-width.ts"
import type { SafeText } from "../../wire/text.ts"

/** In a narrower window the terminal's own wrapping is no worse. */
const COLUMNS_MIN = 30
/** A colour; it takes no room. */
const STYLE = /\u001b\[[0-9;]*m/g
/** A word that people copy, such as an address. */
const COPIED = /^[\x21-\x7e]+$/

/** A command of ours up to the end of its row. */
const COMMAND = new RegExp(
  `(?<=^|[\\s(])mqttchat (?:--[a-z-]+ [^ ]+ )*(?:${COMMAND_NAMES.join("|")})(?= |$).*$`,
)

/**
 * As `wrap`, for a sentence of ours: a command in it stays whole, on a row of its own if need be. Pasted with a row break
 * in it, it would end there, and what follows (the name of a contact) would be run as the next one.
 */
export function wrapSentence(text: SafeText, columns: number | undefined): SafeText {
  if (columns === undefined || columns < COLUMNS_MIN) return text
  const rows = text.split("\n").map((row) => {
    const [command] = COMMAND.exec(row) ?? []
    if (command === undefined) return wrap(row as SafeText, columns)
    const before = wrap(row.slice(0, -command.length).trimEnd() as SafeText, columns)
    if (before === "") return row
    const last = before.split("\n").at(-1) ?? ""
    return `${before}${width(`${last} ${command}`) <= columns ? " " : "\n"}${command}`
  })
  return rows.join("\n") as SafeText
}

/**
 * Breaks the rows at blanks so that they fit, by the width that a terminal gives their characters. Each further row
 * begins with `margin` (below a message, with that of its own kind), or with the blanks that the row begins with. A word of ASCII that is too long stays whole, so that it can be copied; the
 * next word then begins a row of its own, or a stranger's text could pass for a row of ours.
 */
export function wrap(text: SafeText, columns: number | undefined, margin?: SafeText): SafeText {
  if (columns === undefined || columns < COLUMNS_MIN) return text
  const marginOf = (row: string): string =>
    margin === undefined ? indentOf(row) : (noteMargin(row) ?? margin)
  const rows = text.split("\n").map((row) => wrapRow(row, columns, marginOf(row)))
  return rows.join("\n") as SafeText
}

function indentOf(row: string): string {
  const [indent = ""] = /^ */.exec(row) ?? []
  return indent.length > COLUMNS_MIN / 2 ? "" : indent
}

function wrapRow(row: string, columns: number, margin: string): string {
  if (width(row) <= columns) return row
  const rows: string[] = []
  let current = ""
  for (const [, blanks = "", word = ""] of row.matchAll(/( *)([^ ]+|$)/g)) {
    if (width(current) + blanks.length + width(word) <= columns) {
      current += blanks + word
      continue
    }
    if (current.trim() !== "" && current !== margin) rows.push(current)
    const parts = partsOf(word, columns - margin.length)
    const begin = rows.length === 0 && current === "" ? blanks : margin
    rows.push(...parts.slice(0, -1).map((part, at) => (at === 0 ? begin : margin) + part))
    current = (parts.length === 1 ? begin : margin) + (parts.at(-1) ?? "")
  }
  return [...rows, current].join("\n")
}

/** An overlong word in pieces that fit; one that people copy is one piece. */
function partsOf(word: string, columns: number): readonly string[] {
  if (width(word) <= columns || COPIED.test(word.replace(STYLE, ""))) return [word]
  const parts: string[] = []
  let part = ""
  for (const character of word) {
    if (part !== "" && width(part + character) > columns) {
      parts.push(part)
      part = ""
    }
    part += character
  }
  return [...parts, part]
}

function width(text: string): number {
  return displayWidth(text.replace(STYLE, ""))
}
