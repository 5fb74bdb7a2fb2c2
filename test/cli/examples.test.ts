import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { grammar } from "../../src/cli/program.ts"
import { COMMAND_NAMES } from "../../src/cli/terminal/command-names.ts"
import type { Action } from "../../src/cli/terminal/context.ts"
import { withProfile } from "../../src/cli/terminal/hints.ts"
import type { CommandNode } from "../../src/cli/shell/command-tree.ts"
import { EXAMPLES } from "../../src/cli/shell/examples.ts"
import { PROGRAM } from "../../scripts/command-docs.ts"

const README = readFileSync(join(import.meta.dirname, "../../README.md"), "utf8")
/** In both lists the explanation begins after this many characters. */
const [LIST_COLUMN, HELP_COLUMN] = [40, 41]

/** `mqttchat` and its words in the first columns of each line, without what pipes into it. */
function commandLines(text: string, column: number): string[] {
  return text
    .split("\n")
    .map((line) => line.slice(0, column).trim())
    .flatMap((line) => /mqttchat .*/.exec(line) ?? [])
}

/** The grammar's error for the line, or undefined if the command would start. */
function refusal(line: string): string | undefined {
  const actions: Action[] = []
  const program = grammar("default", (action) => actions.push(action))
  const words = (line.match(/'[^']*'|"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll(/^['"]|['"]$/g, ""))
  try {
    program.parse(words.slice(1), { from: "user" })
  } catch (cause) {
    return String(cause)
  }
  return actions.length === 1 ? undefined : "it starts nothing"
}

const [, list = ""] = /## Day by day\n+```\n([^`]*)```/.exec(README) ?? []

test.each(commandLines(list, LIST_COLUMN))("README's list: %s", (line) => {
  expect(refusal(line)).toBeUndefined()
})

test.each(commandLines(PROGRAM.notes, HELP_COLUMN))("--help: %s", (line) => {
  expect(refusal(line)).toBeUndefined()
})

function everyCommand(node: CommandNode): readonly CommandNode[] {
  return [node, ...node.commands.flatMap(everyCommand)]
}

const PATHS = everyCommand(PROGRAM)
  .map(({ words }) => words.slice(1))
  .filter((words) => words.length > 0 && !words.slice(0, -1).includes("help"))
  .filter((words) => words.length === 1 || words.at(-1) !== "help")
  .map((words) => words.join(" "))

test("every command has an example, and nothing else has", () => {
  expect(Object.keys(EXAMPLES).toSorted()).toEqual(PATHS.toSorted())
})

const LINES = Object.entries(EXAMPLES).flatMap(([path, rows]) => rows.map(([line]) => [line, path] as const))

test.each(LINES)("example: %s", (line, path) => {
  const [typed = ""] = /mqttchat [^|]*/.exec(line) ?? []
  expect(typed).toContain(`mqttchat ${path}`)
  expect(path === "help" ? undefined : refusal(typed)).toBeUndefined()
})

test("`help` prints what --help prints, for any command", () => {
  const printed = (...argv: string[]): string => {
    let text = ""
    const program = grammar(
      "default",
      () => undefined,
      (more) => (text += more),
    )
    expect(() => program.parse(argv, { from: "user" })).toThrow()
    return text
  }
  for (const words of [[], ["send"], ["broker", "invite"], ["device", "add"]]) {
    expect(printed("help", ...words)).toBe(printed(...words, "--help"))
    expect(printed("help", ...words)).toContain("Examples:")
  }
})

test("README names every command", () => {
  const named = new Set([...README.matchAll(/mqttchat ([a-z]+)/g)].map(([, name]) => name))
  expect(COMMAND_NAMES.filter((name) => !named.has(name))).toEqual([])
})

test("advice for a named profile names it after each `mqttchat`, for every command", () => {
  for (const name of COMMAND_NAMES)
    expect(withProfile(`run: mqttchat ${name}`, "work", "default")).toBe(
      `run: mqttchat --profile work ${name}`,
    )
  expect(withProfile("mqttchat --passphrase-file FILE daemon --service", "work", "default")).toBe(
    "mqttchat --profile work --passphrase-file FILE daemon --service",
  )
  expect(withProfile("mqttchat --profile OTHER init", "work", "default")).toBe(
    "mqttchat --profile OTHER init",
  )
  expect(withProfile("mqttchat doctor", "default", "default")).toBe("mqttchat doctor")
  expect(withProfile("the newer mqttchat that wrote it", "work", "default")).toBe(
    "the newer mqttchat that wrote it",
  )
})
