import type { Interface } from "node:readline"

const ERASE = new Set(["\u007f", "\b"])
const ERASE_LINE = "\u0015"
const END_OF_INPUT = "\u0004"
/** Enter, Ctrl+C, Ctrl+D and the begin of an escape sequence are the editor's. */
const EDITORS_OWN = new Set(["\r", "\n", "\u0003", END_OF_INPUT, "\u001b"])
const CONTROL = /^\p{Cc}$/u

/** A terminal that obeys no escape sequence. */
export function isDumbTerminal(): boolean {
  return process.env["TERM"] === "dumb"
}

/**
 * There Node's editor takes every key but Enter, Ctrl+C and Ctrl+D for text, Backspace included, and ends at Ctrl+D in
 * the middle of a line. Whether the key was handled here.
 */
export function editAtDumbTerminal(readline: Interface, key: string): boolean {
  const typed = Array.from(readline.line)
  if (key === END_OF_INPUT) return typed.length > 0
  if (EDITORS_OWN.has(key)) return false
  if (ERASE.has(key) && typed.length > 0) {
    setLine(readline, typed.slice(0, -1).join(""))
    process.stdout.write("\b \b")
  }
  if (key === ERASE_LINE && typed.length > 0) {
    setLine(readline, "")
    process.stdout.write("\n")
  }
  return CONTROL.test(key)
}

/** The editor has no other way to change its line without drawing. */
export function setLine(readline: Interface, line: string): void {
  Object.assign(readline, { line, cursor: line.length })
}
