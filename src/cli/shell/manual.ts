import { DEBUG_TOPICS } from "../../debug/events.ts"
import { EXIT_CODE, type FaultCode } from "../../errors.ts"
import { MEANING } from "./fault-meanings.ts"
import { cacheFolder, profilePaths } from "../../paths.ts"
import type { CommandNode, Flag } from "./command-tree.ts"
import { definition, example, heading, paragraph, title } from "./roff.ts"

export type Page = { readonly file: string; readonly text: string }

const VARIABLES = [
  ["MQTTCHAT_HOME", "One folder for everything, instead of the folders under FILES."],
  ["XDG_DATA_HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME", "Other places for the files under FILES."],
  [
    "MQTTCHAT_DEBUG",
    `Topics, separated by commas. What happens there is written to stderr, one JSON object a line, never a secret. The topics are ${DEBUG_TOPICS.join(", ")}, and all, which --verbose means.`,
  ],
  [
    "MQTTCHAT_DEBUG_FILE",
    "A file to append these lines to instead. It has to belong to this user alone and must not be a link.",
  ],
  ["MQTTCHAT_ASCII", "If it is set and not empty, our marks and lines are ASCII, as with --ascii."],
  ["NO_COLOR", "If it is set and not empty, no colour is used."],
] as const

const OF_STDOUT =
  "A command that is to print something ends with 74 when stdout does not take all of it: with an error line, or " +
  "without one when its reader has gone, as after head -1. A command that has done something else, such as send, " +
  "ends as that did, even when stdout is closed or full. inbox marks as shown only what stdout has taken."

/** A page for each command; the program's own page says what holds for all. */
export function manual(program: CommandNode, version: string): readonly Page[] {
  return everyCommand(program).map((node) => ({
    file: `${pageName(node)}.1`,
    text: [
      title(pageName(node), `mqttchat ${version}`),
      ...head(node),
      ...tables(node),
      ...examples(node),
      ...(node === program ? common() : []),
      ...seeAlso(node),
    ].join(""),
  }))
}

function everyCommand(node: CommandNode): readonly CommandNode[] {
  return [node, ...node.commands.filter(isPage).flatMap(everyCommand)]
}

function isPage({ words }: CommandNode): boolean {
  return words.at(-1) !== "help"
}

function pageName({ words }: CommandNode): string {
  return words.join("-")
}

function head(node: CommandNode): readonly string[] {
  return [
    heading("NAME"),
    paragraph(`${pageName(node)} - ${node.about}`),
    heading("SYNOPSIS"),
    paragraph(`${node.words.join(" ")} ${node.usage}`),
    heading("DESCRIPTION"),
    paragraph(`${node.about.charAt(0).toUpperCase()}${node.about.slice(1)}.`),
    ...node.notes.split(/\n{2,}/).map((part) => (isTable(part) ? example(part) : paragraph(part))),
  ]
}

/** Columns, and lines to type, stay as they are. */
function isTable(text: string): boolean {
  return /\S {2,}\S/.test(text)
}

function tables({ commands, flags }: CommandNode): readonly string[] {
  const pages = commands.filter(isPage)
  return [
    ...(pages.length === 0 ? [] : [heading("COMMANDS")]),
    ...pages.map(({ words, usage, about }) => definition(`${words.slice(1).join(" ")} ${usage}`, about)),
    heading("OPTIONS"),
    ...flags.map((flag) => definition(flag.syntax, explained(flag))),
  ]
}

function examples({ words, examples: rows }: CommandNode): readonly string[] {
  if (words.length === 1) return []
  const globals = paragraph("The options of mqttchat(1) work here, too.")
  return rows.length === 0 ? [globals] : [globals, heading("EXAMPLES"), example(rows.join("\n"))]
}

function explained({ about, value, fallback, variable }: Flag): string {
  const more = [
    ...(value?.kind === "choice" ? [`one of ${value.of.join(", ")}`] : []),
    ...(fallback === undefined ? [] : [`default: ${fallback}`]),
    ...(variable === undefined ? [] : [`or ${variable} in the environment`]),
  ]
  return more.length === 0 ? about : `${about} (${more.join("; ")})`
}

/** What holds for every command. */
function common(): readonly string[] {
  return [
    heading("EXIT STATUS"),
    definition("0", "success"),
    ...exitCodes().map(([code, meaning]) => definition(String(code), meaning)),
    paragraph(OF_STDOUT),
    heading("ENVIRONMENT"),
    ...VARIABLES.map(([name, meaning]) => definition(name, meaning)),
    heading("FILES"),
    ...files().map(([path, meaning]) => definition(path, meaning)),
  ]
}

function exitCodes(): readonly (readonly [code: number, meaning: string])[] {
  const meanings = new Map<number, string[]>()
  for (const [fault, meaning] of Object.entries(MEANING)) {
    const code = EXIT_CODE[fault as FaultCode]
    meanings.set(code, [...(meanings.get(code) ?? []), meaning])
  }
  return [...meanings].map(([code, several]) => [code, several.join("; ")])
}

function files(): readonly (readonly [path: string, meaning: string])[] {
  const paths = profilePaths({ HOME: "/~" }, "profile")
  const shown = (path: string): string => path.slice(1).replace("/profile/", "/PROFILE/")
  return [
    [shown(paths.keyFile), "the keys of the profile, sealed under its passphrase"],
    [shown(paths.database), "contacts, conversations and outbox, encrypted"],
    [shown(paths.settings), "name and broker, in plain text"],
    [`${shown(paths.broker)}/`, "the broker of this laptop: its authority, its ledger and its queues"],
    [
      `${shown(cacheFolder({ HOME: "/~" }))}/`,
      "compiled code, so that short commands start sooner; nothing of yours",
    ],
  ]
}

function seeAlso({ words, commands }: CommandNode): readonly string[] {
  const above = words.length === 1 ? [] : [words.slice(0, -1).join("-")]
  const pages = [...above, ...commands.filter(isPage).map(pageName)]
  return [heading("SEE ALSO"), paragraph(pages.map((page) => `${page}(1)`).join(", "))]
}
