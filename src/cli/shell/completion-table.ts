import type { CommandNode, Flag, Value } from "./command-tree.ts"

/** A word that may come next, with its description. */
export type Candidate = { readonly word: string; readonly about: string }

export type Suggestion =
  | { readonly kind: "words"; readonly candidates: readonly Candidate[] }
  | { readonly kind: "contact" | "file" | "folder" }

/** What a shell offers if one of the patterns matches. `*` in a pattern matches anything. */
export type Clause = { readonly patterns: readonly string[]; readonly suggestion: Suggestion }

/**
 * What every shell has to know. A place is the path of a command: `/` for the program itself, then `/broker/log/`. A
 * command takes its own flags and those of its parent commands.
 */
export type CompletionTable = {
  readonly commandPaths: readonly string[]
  /** `place:flag` of each flag with a value. */
  readonly valued: readonly string[]
  /** By `place:flag`, what the value may be. */
  readonly values: readonly Clause[]
  /** By place, flags; all matches are offered together. */
  readonly flags: readonly Clause[]
  /** By `place:count`, what may come after this many words that are not commands. */
  readonly words: readonly Clause[]
}

export function completionTable(program: CommandNode): CompletionTable {
  const commandPaths = everyCommand(program)
  return {
    commandPaths: commandPaths.map(pathOf).slice(1),
    valued: commandPaths.flatMap((node) => flagPatterns(node, (flag) => flag.value !== undefined)),
    values: commandPaths.flatMap(valueClauses),
    flags: flagClauses(program, []),
    words: commandPaths.flatMap(wordClauses),
  }
}

function everyCommand(node: CommandNode): readonly CommandNode[] {
  return [node, ...node.commands.flatMap(everyCommand)]
}

function pathOf({ words }: CommandNode): string {
  return `/${words
    .slice(1)
    .map((word) => `${word}/`)
    .join("")}`
}

function flagPatterns(node: CommandNode, wanted: (flag: Flag) => boolean): readonly string[] {
  return node.flags.filter(wanted).flatMap((flag) => flag.names.map((name) => `${pathOf(node)}*:${name}`))
}

function valueClauses(node: CommandNode): readonly Clause[] {
  return node.flags.flatMap((flag) => {
    const suggestion = flag.value && suggestionOf(flag.value)
    return suggestion === undefined
      ? []
      : [{ patterns: flagPatterns(node, (each) => each === flag), suggestion }]
  })
}

/** The flags of a command itself: those that its parents lack. */
function flagClauses(node: CommandNode, above: readonly string[]): readonly Clause[] {
  const own = node.flags.filter(({ names }) => !names.some((name) => above.includes(name)))
  const candidates = own.map(({ names, about }) => ({ word: names.at(-1) ?? "", about }))
  const clause: Clause = { patterns: [`${pathOf(node)}*`], suggestion: { kind: "words", candidates } }
  const known = [...above, ...own.flatMap(({ names }) => names)]
  const below = node.commands.flatMap((each) => flagClauses(each, known))
  return own.length === 0 ? below : [clause, ...below]
}

function wordClauses(node: CommandNode): readonly Clause[] {
  const candidates = node.commands.map(({ words, about }) => ({ word: words.at(-1) ?? "", about }))
  const commands: Clause = {
    patterns: [`${pathOf(node)}:0`],
    suggestion: { kind: "words", candidates },
  }
  const parameters = node.parameters.flatMap(({ value, variadic }, count) => {
    const suggestion = suggestionOf(value)
    return suggestion === undefined
      ? []
      : [{ patterns: [`${pathOf(node)}:${variadic ? "*" : count}`], suggestion }]
  })
  return candidates.length === 0 ? parameters : [commands, ...parameters]
}

function suggestionOf(value: Value): Suggestion | undefined {
  if (value.kind === "text") return undefined
  if (value.kind !== "choice") return { kind: value.kind }
  return { kind: "words", candidates: value.of.map((word) => ({ word, about: "" })) }
}
