import { COMMAND_NAMES } from "./command-names.ts"
import { shellCommand } from "../../shell-command.ts"

/** A quoted value may hold what looks like a command. */
const QUOTED = "(?<=^|[\\s=']|\\\\['\\\\])'[^']*'"
/** A hint may begin with one of these; one with --profile names its own. */
const FLAGS = ["--passphrase-file", "--passphrase-fd"]
const BEGINNINGS = [...COMMAND_NAMES, ...FLAGS].join("|")
const HINTED_COMMAND = new RegExp(`${QUOTED}|\\bmqttchat (?=(?:${BEGINNINGS})\\b)`, "g")

/** The same hint with the profile that the user named, so that it can be typed unchanged. */
export function withProfile(hint: string, profile: string, defaultProfile: string): string {
  if (profile === defaultProfile) return hint
  return hint.replace(HINTED_COMMAND, (found) =>
    found.startsWith("'") ? found : shellCommand`mqttchat --profile ${profile} `,
  )
}
