import { CONFUSABLES } from "./confusables.ts"

/** Joiners, fillers and the like: nothing is seen of them. */
const IGNORED = /\p{Default_Ignorable_Code_Point}/gu
/** U+2800 is the braille cell without a dot. */
const BLANKS = /[\s\u2800]+/gu

/** The prototype of each character that looks like another. */
let prototypes: ReadonlyMap<string, string> | undefined

/**
 * How a name looks, in each of three spellings: as it is, in small and in capital letters. Two names look alike if they
 * have one of these in common [W-83]: the capital of a Cyrillic letter may look like a Latin one though the small one
 * does not, and the case of a name says nothing about whose it is.
 */
export function skeletonsOf(name: string): readonly string[] {
  const whole = name.normalize("NFKC")
  return [...new Set([whole, whole.toLowerCase(), whole.toUpperCase()].map(skeletonOf))]
}

/** The skeleton of UTS #39, without what is not seen, in one case and with single blanks. */
function skeletonOf(spelling: string): string {
  let skeleton = ""
  for (const character of withoutIgnorable(spelling.normalize("NFKD"))) skeleton += prototypeOf(character)
  return skeleton.normalize("NFKD").replace(BLANKS, " ").trim().toLowerCase()
}

export function withoutIgnorable(text: string): string {
  return text.replace(IGNORED, "")
}

/** What a character is read as; most are their own prototype. */
export function prototypeOf(character: string): string {
  prototypes ??= readPrototypes()
  return prototypes.get(character) ?? character
}

/** Only when it is first needed: a short command compares no names. */
function readPrototypes(): ReadonlyMap<string, string> {
  const read = new Map<string, string>()
  for (const row of CONFUSABLES.split("\n")) {
    const [prototype = "", characters = ""] = row.split(" ")
    for (const character of characters) read.set(character, prototype)
  }
  return read
}
