import type { PairingCode, WordCount } from "./code.ts"

/**
 * Wrong proofs that end a code [P-22]. Two words are worth one guess. Three are worth sixteen, one chance in 2^29, so that
 * one wrong answer does not end the code.
 */
const WRONG_PROOFS_MAX: Readonly<Record<WordCount, number>> = { 2: 1, 3: 16 }
/**
 * Answers to one code, with or without a proof: each costs a write to the disk and a share. One more ends the code, so
 * that a stranger who stays silent can end it too, and learns nothing.
 */
export const ANSWERS_MAX = 16
/** So many answers without a right proof within an hour, and new codes get three words [P-25]. */
const GUESSES_PER_HOUR = 5

/** How many wrong proofs end a code, and how often a caller may try one. */
export function guessesAllowed({ text }: PairingCode): number {
  const [, ...words] = text.split("-")
  return WRONG_PROOFS_MAX[words.length === 2 ? 2 : 3]
}

/** Two words are enough unless someone may be guessing: `guesses` are those of the last hour. */
export function wordsFor(wanted: WordCount, guesses: number): WordCount {
  return guesses < GUESSES_PER_HOUR ? wanted : 3
}
