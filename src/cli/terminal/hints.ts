import { COMMAND_NAMES } from "./command-names.ts"
import { shellCommand } from "../../shell-command.ts"

/** A quoted value may hold what looks like a command. */
const QUOTED = "(?<=^|[\\s=']|\\\\['\\\\])'[^']*'"
const HINTED_COMMAND = new RegExp(`${QUOTED}|\\bmqttchat (?=(?:${COMMAND_NAMES.join("|")})\\b)`, "g")

/** The same hint with the profile that the user named, so that it can be typed unchanged. */
export function withProfile(hint: string, profile: string, defaultProfile: string): string {
  if (profile === defaultProfile) return hint
  return hint.replace(HINTED_COMMAND, (found) =>
    found.startsWith("'") ? found : shellCommand`mqttchat --profile ${profile} `,
  )
}
