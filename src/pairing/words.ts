import { wordlist } from "@scure/bip39/wordlists/english.js"

const WORD_BITS = 11
/** 44 bits: too many to search for a handshake with four given words while two people look at their screens. */
const COMPARED_WORDS = 4
/** A spelling further off than this is another word. */
const TYPING_ERRORS_MAX = 3

const known = new Set(wordlist)

/** 2^11 = 2048 words, no two of which share their first four letters (BIP 39, English) [P-1]. */
export const WORDS: readonly string[] = wordlist

export function isWord(text: string): boolean {
  return known.has(text)
}

/**
 * What two people compare aloud: the first 44 bits of the handshake's 32-byte SAS, first bit first, as four words
 * [P-30].
 */
export function fourWords(sas: Uint8Array): string[] {
  const bits = [...sas.subarray(0, 6)].reduce((joined, byte) => joined * 256 + byte, 0)
  return Array.from({ length: COMPARED_WORDS }, (_, at) => {
    const shift = 48 - WORD_BITS * (at + 1)
    return WORDS[Math.floor(bits / 2 ** shift) % WORDS.length] ?? ""
  })
}

/** The word that was probably meant, or undefined where none is near. */
export function nearestWord(typed: string): string | undefined {
  let best: string | undefined
  let least = TYPING_ERRORS_MAX
  for (const word of WORDS) {
    const errors = editDistance(typed, word)
    if (errors < least) [best, least] = [word, errors]
  }
  return best
}

/** Levenshtein's distance with two swapped neighbours as one error, the commonest in typing. */
function editDistance(from: string, to: string): number {
  let before: readonly number[] = []
  let row = Array.from({ length: to.length + 1 }, (_, at) => at)
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < to.length; j++) {
      const [left = 0, above = 0, diagonal = 0] = [next[j], row[j + 1], row[j]]
      const swapped = from[i] === to[j - 1] && from[i - 1] === to[j] ? (before[j - 1] ?? Infinity) : Infinity
      next.push(Math.min(left + 1, above + 1, diagonal + (from[i] === to[j] ? 0 : 1), swapped + 1))
    }
    before = row
    row = next
  }
  return row[to.length] ?? 0
}
