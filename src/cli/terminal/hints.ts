import { COMMAND_NAMES } from "./command-names.ts"

const HINTED_COMMAND = new RegExp(`\\bmqttchat (?=(?:${COMMAND_NAMES.join("|")})\\b)`, "g")

/** The same hint with the profile that the user named, so that it can be typed unchanged. */
export function withProfile(hint: string, profile: string, defaultProfile: string): string {
  return profile === defaultProfile ? hint : hint.replace(HINTED_COMMAND, `mqttchat --profile ${profile} `)
}
