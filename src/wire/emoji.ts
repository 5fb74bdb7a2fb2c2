/** The longest emoji of Unicode 17, a couple with skin tones that kisses, has 35 bytes [W-63]. */
export const EMOJI_MAX_BYTES = 64

const FLAG = String.raw`\p{RI}\p{RI}`
const KEY = String.raw`[0-9#*]\uFE0F?\u20E3`
/** With its skin tone, presentation or tags. */
const PICTURE = String.raw`\p{ExtPict}(?:\p{EMod}|\uFE0F|[\u{E0020}-\u{E007E}]+\u{E007F})?`
/** Unicode keeps code points of ExtPict for emoji to come, so that those of a later version fit, too. */
const EMOJI = new RegExp(String.raw`^(?:${FLAG}|${KEY}|\p{EMod}|${PICTURE}(?:\u200D${PICTURE})*)$`, "u")

/** Whether it is one emoji that fits a reaction; it is then one grapheme cluster. */
export function isEmoji(text: string): boolean {
  return Buffer.byteLength(text) <= EMOJI_MAX_BYTES && EMOJI.test(text)
}
