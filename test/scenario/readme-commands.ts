/** A command that a document tells its reader to type, and the output shown below it. */
export type Instruction = {
  readonly who: string | undefined
  readonly command: string
  readonly rows: readonly string[]
}

/** For a command in a line of prose, or in a block without a prompt. */
const TYPED = /^(?:npm|mqttchat) /
const PROMPTED = /^(\w+)\$ (.+)$/
const FENCE = /^```$/m

/** Every command of one section of a document, in order. */
export function commandsOf(document: string, heading: string): readonly Instruction[] {
  const [, section = ""] = document.split(new RegExp(`^## ${heading}$`, "m"))
  const [within = ""] = section.split(/^## /m)
  return within.split(FENCE).flatMap((part, at) => (at % 2 === 0 ? inProse(part) : inBlock(part)))
}

function inProse(text: string): Instruction[] {
  const spans = [...text.matchAll(/`([^`\n]+)`/g)].map(([, span = ""]) => span)
  return spans.filter((span) => TYPED.test(span)).map((command) => ({ who: undefined, command, rows: [] }))
}

/** A block that begins with a prompt is a transcript; one that begins with a command holds only commands. */
function inBlock(block: string): Instruction[] {
  const rows = block.trim().split("\n")
  const first = rows[0] ?? ""
  if (TYPED.test(first)) return rows.map((command) => ({ who: undefined, command, rows: [] }))
  const starts = rows.flatMap((row, at) => (PROMPTED.test(row) ? [at] : []))
  return starts.map((start, at) => {
    const [, who, command = ""] = PROMPTED.exec(rows[start] ?? "") ?? []
    return { who, command, rows: rows.slice(start + 1, starts[at + 1]).filter((row) => row !== "") }
  })
}

/** The lines of the first block after a command's own, as a demo prints them. */
export function shownAfter(document: string, command: string): readonly string[] {
  const [, after = ""] = document.split(`\`\`\`\n${command}\n\`\`\`\n`)
  return (after.split(FENCE)[1] ?? "").trim().split("\n")
}

/** Patterns that differ between machines and runs, and their placeholders. */
const VARYING: readonly (readonly [written: RegExp, seen: string])[] = [
  [/\/home\/\w+/, String.raw`/\S+`],
  [/\d+-[a-z]+-[a-z]+@[\d.]+(?::\d+)?/, String.raw`\d+-[a-z]+-[a-z]+@\S+`],
  [/\d+(?:\.\d+){3}:\d+/, String.raw`\S+:\d+`],
  [/[0-9a-f]{4}(?: [0-9a-f]{4}){4}/, "[0-9a-f]{4}(?: [0-9a-f]{4}){4}"],
  [/says: {2}.+/, String.raw`says:(?:\s+[a-z]+){4}`],
  [/\d+ ms/, String.raw`\d+ ms`],
  [/\s+/, String.raw`\s+`],
]
const VARIES = new RegExp(VARYING.map(([written]) => `(${written.source})`).join("|"), "g")

/** Matches a line of a document on any machine and in any run. */
export function asShown(row: string): RegExp {
  let literal = 0
  let source = ""
  for (const match of row.matchAll(VARIES)) {
    const kinds: readonly (string | undefined)[] = match.slice(1)
    const kind = kinds.findIndex((part) => part !== undefined)
    source += escaped(row.slice(literal, match.index)) + (VARYING[kind]?.[1] ?? "")
    literal = match.index + match[0].length
  }
  return new RegExp(source + escaped(row.slice(literal)))
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)
}
