import { Command, type Option } from "commander"
import { exampleRows, helpTail } from "./help-tail.ts"

/** What a word on the command line may be. */
export type Value =
  | { readonly kind: "choice"; readonly of: readonly string[] }
  | { readonly kind: "contact" | "file" | "folder" | "text" }

export type Flag = {
  /** Short and long name, as they are typed. */
  readonly names: readonly string[]
  /** The same with its value, as `-n, --last <number>`. */
  readonly syntax: string
  readonly about: string
  /** Undefined if it takes none. */
  readonly value: Value | undefined
  readonly fallback: string | undefined
  readonly variable: string | undefined
}

export type Parameter = { readonly value: Value; readonly variadic: boolean }

/** One command, as commander knows it. */
export type CommandNode = {
  /** From the program's own name on. */
  readonly words: readonly string[]
  readonly usage: string
  readonly about: string
  readonly parameters: readonly Parameter[]
  readonly flags: readonly Flag[]
  readonly commands: readonly CommandNode[]
  /** What `--help` says below its tables. */
  readonly notes: string
  /** Lines to type, each perhaps with what it is for. */
  readonly examples: readonly string[]
}

/** Placeholders of the grammar that can be completed. A flag's `name` is a new name, never a contact. */
const FLAG_VALUES: Readonly<Record<string, Value>> = {
  file: { kind: "file" },
  out: { kind: "file" },
  folder: { kind: "folder" },
  contact: { kind: "contact" },
}
const PARAMETER_VALUES: Readonly<Record<string, Value>> = {
  ...FLAG_VALUES,
  offer: { kind: "file" },
  invitation: { kind: "file" },
  name: { kind: "contact" },
}

/** Reads commander's tree, the one source of help, completion and manual. */
export function commandTree(command: Command, before: readonly string[] = []): CommandNode {
  const words = [...before, command.name()]
  const help = command.createHelp()
  const commands = help.visibleCommands(command)
  return {
    words,
    usage: command.usage(),
    about: command.description(),
    parameters: command.registeredArguments.map((argument) => ({
      value: valueOf(argument.argChoices, PARAMETER_VALUES[argument.name()]),
      variadic: argument.variadic,
    })),
    flags: help.visibleOptions(command).map(flagOf),
    commands: commands.map((each) =>
      each.name() === "help" ? helpNode(each, words, command.commands) : commandTree(each, words),
    ),
    examples: exampleRows(words.slice(1)),
    notes: notesOf(command),
  }
}

/** After `help` come the words of a command, and nothing else. */
function helpNode(help: Command, before: readonly string[], siblings: readonly Command[]): CommandNode {
  const words = [...before, help.name()]
  const commands = siblings.filter((each) => each.name() !== "help").map((each) => bareNode(each, words))
  return { ...commandTree(help, before), parameters: [], commands }
}

function bareNode(command: Command, before: readonly string[]): CommandNode {
  const words = [...before, command.name()]
  return {
    ...{ words, usage: "", about: command.description(), notes: "" },
    ...{ parameters: [], flags: [], examples: [] },
    commands: command.commands.map((each) => bareNode(each, words)),
  }
}

function flagOf(option: Option): Flag {
  const { flags, short, long, description, argChoices, envVar } = option
  const [, placeholder] = /[<[]([^\]>]+)/.exec(flags) ?? []
  // Our defaults are words and numbers.
  const fallback = option.defaultValue as string | number | undefined
  return {
    names: [short, long].filter((name) => name !== undefined),
    syntax: flags,
    about: description,
    value: placeholder === undefined ? undefined : valueOf(argChoices, FLAG_VALUES[placeholder]),
    fallback: placeholder === undefined || fallback === undefined ? undefined : String(fallback),
    variable: envVar,
  }
}

function valueOf(choices: readonly string[] | undefined, known: Value | undefined): Value {
  return choices === undefined ? (known ?? { kind: "text" }) : { kind: "choice", of: choices }
}

/** commander keeps help texts only as listeners, so we call them and collect what they print. */
function notesOf(command: Command): string {
  let output = ""
  const before = command.configureOutput()
  command.configureOutput({ writeOut: (text) => (output += text), getOutHasColors: () => false })
  command.outputHelp()
  command.configureOutput(before)
  const notes = output.slice(command.helpInformation().length).trimEnd()
  return notes.slice(0, notes.length - helpTail(command).trimEnd().length).trim()
}
