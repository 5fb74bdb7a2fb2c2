import { displayRow, type SafeText } from "./wire/text.ts"

/** What no shell reads as anything but itself, wherever it stands. */
const PLAIN: Readonly<Record<Shell, RegExp>> = {
  posix: /^[A-Za-z0-9_%+:,./@-][A-Za-z0-9_%+=:,./@-]*$/,
  powershell: /^[A-Za-z0-9_.:/\\][A-Za-z0-9_.:/\\@-]*$/,
}
/** PowerShell ends a quoted string at typographic quotes, too. */
const POWERSHELL_QUOTES = /['\u2018-\u201b]/g
/** An option that takes the value behind it. */
const OPTION_BEFORE = /(?:^|\s)--[a-z][a-z-]*[ =]$/
const FLAGS = / --?[a-z][a-z-]*(?=\s|$)/g

type Shell = "posix" | "powershell"
const SHELL: Shell = process.platform === "win32" ? "powershell" : "posix"

/**
 * A command to be pasted into a shell, with each value as one word of it, whatever it holds. The template has nothing
 * but the command. A value that begins with a dash stands behind `--`, and the flags of the template before that.
 */
export function shellCommand(words: readonly string[], ...values: readonly (string | number)[]): SafeText {
  return commandFor(SHELL, words, values)
}

/** One word of a command to be pasted. */
export function shellWord(value: string | number): SafeText {
  return wordFor(SHELL, value)
}

/** As `shellCommand`, for a shell that is named. */
export function commandFor(
  shell: Shell,
  words: readonly string[],
  values: readonly (string | number)[],
): SafeText {
  const [begin = "", ...between] = words
  const dashed = values.findIndex((value, at) => {
    return String(value).startsWith("-") && !OPTION_BEFORE.test(words[at] ?? "")
  })
  if (dashed === -1)
    return joined(
      begin,
      between,
      values.map((value) => wordFor(shell, value)),
    )
  const flags = between.slice(dashed).flatMap((text) => text.match(FLAGS) ?? [])
  const rest = between.map((text, at) => (at < dashed ? text : text.replace(FLAGS, "")))
  const quoted = values.map((value) => wordFor(shell, value))
  quoted[dashed] = `${endOfFlags(shell, flags)} ${quoted[dashed] ?? ""}` as SafeText
  return joined(begin, rest, quoted)
}

/** PowerShell keeps a bare `--` for itself where the command is a script, as npm's are. */
function endOfFlags(shell: Shell, flags: readonly string[]): string {
  return [...flags.map((flag) => flag.trim()), shell === "posix" ? "--" : "'--'"].join(" ")
}

/**
 * What a terminal would act on is replaced as where it is shown. A backslash stands outside the quotes: inside of them
 * fish takes it for an escape, and other shells do not.
 */
function wordFor(shell: Shell, value: string | number): SafeText {
  const text = displayRow(String(value))
  if (PLAIN[shell].test(text)) return text
  const inside =
    shell === "posix"
      ? text.replaceAll(/['\\]/g, (character) => `'\\${character}'`)
      : text.replaceAll(POWERSHELL_QUOTES, "$&$&")
  return `'${inside}'` as SafeText
}

function joined(begin: string, between: readonly string[], values: readonly SafeText[]): SafeText {
  return values.reduce((line, value, at) => line + value + (between[at] ?? ""), begin) as SafeText
}
