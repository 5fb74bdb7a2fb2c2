/** A message that a command names by its id; without one it is the last that fits. */
type Target = { readonly id?: string }

/** What a typed line asks for. */
export type ChatInput =
  | { readonly kind: "nothing" | "quit" | "help" | "verify" | "status" | "ids" }
  | { readonly kind: "text"; readonly text: string }
  | ({ readonly kind: "reply"; readonly text: string } & Target)
  | { readonly kind: "incomplete"; readonly usage: string }
  | { readonly kind: "unknown"; readonly text: string }

/** Commands that are typed alone. */
const ALONE = ["quit", "help", "verify", "status", "ids"] as const

const USAGE: Readonly<Record<string, string>> = {
  reply: "/reply [ID] TEXT",
}

/** As many digits as are shown, up to a whole id; no word that people write is taken for one. */
const ID = /^[0-9a-f]{8,16}$/i
const COMMAND = /^\/([a-z]+)(?:\s+(\S[^]*))?$/

/** A slash begins a command and two slashes a text that begins with one; a command is never sent by mistake. */
export function parseChatLine(line: string): ChatInput {
  if (line.trim() === "") return { kind: "nothing" }
  if (line.startsWith("//")) return { kind: "text", text: line.slice(1) }
  if (!line.startsWith("/")) return { kind: "text", text: line }
  const [, command = "", rest = ""] = COMMAND.exec(line.trimEnd()) ?? []
  const usage = USAGE[command]
  if (usage !== undefined) return reply(rest) ?? { kind: "incomplete", usage }
  const kind = rest === "" ? ALONE.find((each) => each === command) : undefined
  return kind === undefined ? { kind: "unknown", text: line.trim() } : { kind }
}

/** A text that begins like an id stands behind `--`. */
function reply(rest: string): ChatInput | undefined {
  const [, first = "", after = ""] = /^(\S+)\s*([^]*)$/.exec(rest) ?? []
  const isId = ID.test(first)
  const text = isId || first === "--" ? after : rest
  if (text === "") return undefined
  return { kind: "reply", text, ...(isId ? { id: first } : {}) }
}
