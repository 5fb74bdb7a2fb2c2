const COMMANDS =
  "init|passwd|export|import|status|wipe|broker|daemon|register|device|registrar|pair|verify|contacts|timer|privacy|reset|chat|send|outbox|inbox|history|search"
const HINTED_COMMAND = new RegExp(`\\bmqttchat (?=(?:${COMMANDS})\\b)`, "g")

/** The same advice, to be typed as it stands by somebody who named a profile. */
export function withProfile(hint: string, profile: string, defaultProfile: string): string {
  return profile === defaultProfile ? hint : hint.replace(HINTED_COMMAND, `mqttchat --profile ${profile} `)
}
