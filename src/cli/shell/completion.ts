import type { Command } from "commander"
import type { SafeText } from "../../wire/text.ts"
import { commandTree } from "./command-tree.ts"
import { fishScript } from "./completion-fish.ts"
import { bashScript, zshScript } from "./completion-posix.ts"
import { powershellScript } from "./completion-powershell.ts"
import { type CompletionTable, completionTable } from "./completion-table.ts"
import type { Context } from "../terminal/context.ts"

const SCRIPTS = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
  powershell: powershellScript,
} as const satisfies Record<string, (table: CompletionTable) => string>

export type Shell = keyof typeof SCRIPTS

/** Prints a completion script. It contains everything but contacts' names, so only those need a process. */
export function printCompletion({ out }: Context, shell: Shell, program: Command): Promise<void> {
  const script = SCRIPTS[shell](completionTable(commandTree(program)))
  // Safe: our own words, from the grammar.
  out.data(script.trimEnd() as SafeText)
  return Promise.resolve()
}
