import { WIDE } from "../../wire/text.ts"

const PLAIN = /^[\x20-\x7e]*$/
const ZERO_WIDTH = /^[\p{M}\u200c\u200d]$/u
/** It may make a wide emoji of the character before it. */
const EMOJI_STYLE = "\ufe0f"

/**
 * The columns that a terminal needs for a row. Terminals differ on sequences of emoji: none is taken here for narrower
 * than it may be.
 */
export function displayWidth(row: string): number {
  if (PLAIN.test(row)) return row.length
  let cells = 0
  for (const character of row) cells += WIDE.test(character) ? 2 : isZeroWidth(character) ? 0 : 1
  return cells
}

function isZeroWidth(character: string): boolean {
  return character !== EMOJI_STYLE && ZERO_WIDTH.test(character)
}
