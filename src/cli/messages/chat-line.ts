/** What a typed line asks for. */
export type ChatInput =
  | { readonly kind: "nothing" | "quit" | "help" | "verify" | "status" }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "unknown"; readonly text: string }

const COMMANDS = ["quit", "help", "verify", "status"] as const

/** A slash begins a command and two slashes a text that begins with one; a command is never sent by mistake. */
export function parseChatLine(line: string): ChatInput {
  if (line.trim() === "") return { kind: "nothing" }
  if (line.startsWith("//")) return { kind: "text", text: line.slice(1) }
  if (!line.startsWith("/")) return { kind: "text", text: line }
  const typed = line.trim().slice(1)
  const kind = COMMANDS.find((command) => command === typed)
  return kind === undefined ? { kind: "unknown", text: line.trim() } : { kind }
}
