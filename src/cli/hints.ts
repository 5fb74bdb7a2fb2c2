const COMMANDS =
  "init|passwd|export|import|status|wipe|broker|daemon|register|device|registrar|pair|verify|contacts|timer|privacy|reset|chat|send|outbox|inbox|history|search"
const TYPED = new RegExp(`\\bmqttchat (?=(?:${COMMANDS})\\b)`, "g")

/** The same advice, to be typed as it stands by somebody who named a profile. */
export function forProfile(advice: string, profile: string, defaultProfile: string): string {
  return profile === defaultProfile ? advice : advice.replace(TYPED, `mqttchat --profile ${profile} `)
}
