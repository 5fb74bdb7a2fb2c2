/** A message that a command names by its id; without one it is the last that fits. */
type Target = { readonly id?: string }

/** What a typed line asks for. */
export type ChatInput =
  | { readonly kind: "nothing" | "quit" | "help" | "verify" | "status" | "ids" }
  | { readonly kind: "text"; readonly text: string }
  | ({ readonly kind: "reply" | "edit"; readonly text: string } & Target)
  | ({ readonly kind: "delete" } & Target)
  /** Null takes a reaction away. */
  | ({ readonly kind: "react"; readonly emoji: string | null } & Target)
  | { readonly kind: "incomplete"; readonly usage: string }
  | { readonly kind: "unknown"; readonly text: string }

/** Commands that are typed alone. */
const ALONE = ["quit", "help", "verify", "status", "ids"] as const

const USAGE: Readonly<Record<string, string>> = {
  reply: "/reply [ID] TEXT",
  edit: "/edit [ID] TEXT",
  del: "/del [ID]",
  react: "/react [ID] EMOJI, or --remove in its place",
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
  if (usage !== undefined) return parsed(command, rest) ?? { kind: "incomplete", usage }
  const kind = rest === "" ? ALONE.find((each) => each === command) : undefined
  return kind === undefined ? { kind: "unknown", text: line.trim() } : { kind }
}

/** Undefined if something is missing, or there is too much. */
function parsed(command: string, rest: string): ChatInput | undefined {
  switch (command) {
    case "reply":
    case "edit":
      return withText(command, rest)
    case "del":
      return deletion(rest)
    default:
      return reaction(rest)
  }
}

/** A text that begins like an id stands behind `--`. */
function withText(kind: "reply" | "edit", rest: string): ChatInput | undefined {
  const [, first = "", after = ""] = /^(\S+)\s*([^]*)$/.exec(rest) ?? []
  const isId = ID.test(first)
  const text = isId || first === "--" ? after : rest
  if (text === "") return undefined
  return { kind, text, ...(isId ? { id: first } : {}) }
}

function deletion(rest: string): ChatInput | undefined {
  if (/\s/.test(rest)) return undefined
  return { kind: "delete", ...(rest === "" ? {} : { id: rest }) }
}

function reaction(rest: string): ChatInput | undefined {
  const [last, id, ...more] = rest.split(/\s+/).reverse()
  if (last === undefined || last === "" || ID.test(last) || more.length > 0) return undefined
  return { kind: "react", emoji: last === "--remove" ? null : last, ...(id === undefined ? {} : { id }) }
}
