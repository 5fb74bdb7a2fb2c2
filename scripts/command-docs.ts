import { commandTree, type CommandNode } from "../src/cli/shell/command-tree.ts"
import { manual } from "../src/cli/shell/manual.ts"
import { grammar } from "../src/cli/program.ts"

/** The program and all its commands, from the grammar. */
export const PROGRAM: CommandNode = commandTree(grammar("default", () => undefined))

/** src/cli/terminal/command-names.ts: the grammar's commands for the fast path, which cannot load the grammar. */
export function commandNames(): string {
  const names = PROGRAM.commands.map(({ words }) => words.at(-1) ?? "").filter((name) => name !== "help")
  return [
    "/** Every command that may follow `mqttchat`. Written by `npm run docs`, from the grammar in program.ts. */",
    "export const COMMAND_NAMES = [",
    ...names.toSorted().map((name) => `  "${name}",`),
    "] as const",
    "",
  ].join("\n")
}

/** package.json with a man page for each command. */
export function manualPages(manifest: string): string {
  const man = manual(PROGRAM, "").map(({ file }) => `dist/man/${file}`)
  const content = { ...(JSON.parse(manifest) as object), man: man.toSorted() }
  return `${JSON.stringify(content, undefined, 2)}\n`
}
