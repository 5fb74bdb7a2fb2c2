import type { Command } from "commander"
import { EXAMPLES } from "./examples.ts"

const COLUMNS = 80
const INDENT = "  "

/** The words of a command after the program's own name. */
export function wordsOf(command: Command): readonly string[] {
  const { parent } = command
  return parent === null ? [] : [...wordsOf(parent), command.name()]
}

/** What ends the help of every command but the program's: its examples, and the names of the global options. */
export function helpTail(command: Command): string {
  const words = wordsOf(command)
  if (words.length === 0) return ""
  const rows = exampleRows(words)
  const examples = rows.length === 0 ? [] : ["", "Examples:", ...rows.map((row) => INDENT + row)]
  return [...examples, "", ...globalRows(command)].join("\n")
}

/** The command lines, with what each is for in a second column. */
export function exampleRows(words: readonly string[]): readonly string[] {
  const examples = EXAMPLES[words.join(" ")] ?? []
  const width = Math.max(...examples.map(([line]) => line.length))
  return examples.map(([line, about]) => (about === undefined ? line : `${line.padEnd(width)}   ${about}`))
}

function globalRows(command: Command): readonly string[] {
  let program = command
  while (program.parent !== null) program = program.parent
  const names = program.options.flatMap(({ long }) =>
    long === undefined || long === "--version" ? [] : [long],
  )
  return wrapped(["Global options, explained by mqttchat --help:", ...names])
}

function wrapped(words: readonly string[]): readonly string[] {
  const rows: string[] = []
  let row = ""
  for (const word of words) {
    const longer = row === "" ? word : `${row} ${word}`
    if (longer.length <= COLUMNS) row = longer
    else {
      rows.push(row)
      row = INDENT + word
    }
  }
  return [...rows, row]
}
