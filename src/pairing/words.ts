import { wordlist } from "@scure/bip39/wordlists/english.js"
import { editDistanceWithin } from "./edit-distance.ts"

const WORD_BITS = 11
/** 44 bits: one try for each pairing, since neither side can choose its share by the other's [S-65]. */
const COMPARED_WORDS = 4
/** A spelling further away than this is another word. */
const TYPING_ERRORS_MAX = 2

/** The longest words have 8 letters: nothing longer than this is near one of them. */
const NEAR_WORD_CHARACTERS_MAX = 8 + TYPING_ERRORS_MAX

const known = new Set(wordlist)

/** 2^11 = 2048 words, no two of which share their first four letters (BIP 39, English) [P-1]. */
export const WORDS: readonly string[] = wordlist

export function isWord(text: string): boolean {
  return known.has(text)
}

/** What two people compare aloud: the first 44 bits of the 32 bytes that their session has for it, first bit first [P-30]. */
export function fourWords(bytes: Uint8Array): string[] {
  const bits = [...bytes.subarray(0, 6)].reduce((joined, byte) => joined * 256 + byte, 0)
  return Array.from({ length: COMPARED_WORDS }, (_, at) => {
    const shift = 48 - WORD_BITS * (at + 1)
    return WORDS[Math.floor(bits / 2 ** shift) % WORDS.length] ?? ""
  })
}

/** The word that was probably meant, or undefined if none is near. */
export function nearestWord(typed: string, words: Iterable<string> = WORDS): string | undefined {
  if (typed.length > NEAR_WORD_CHARACTERS_MAX) return undefined
  let best: string | undefined
  let allowed = TYPING_ERRORS_MAX
  for (const word of words) {
    const errors = editDistanceWithin(typed, word, allowed)
    if (errors !== undefined) [best, allowed] = [word, errors - 1]
  }
  return best
}
