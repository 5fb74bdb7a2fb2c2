/**
 * The scripts in everyday use (UAX #31, table 5). A name of any other one is not marked, for a reader who does not know
 * it takes it for no name of theirs.
 */
const SCRIPTS = [
  "Latin",
  "Cyrillic",
  "Greek",
  "Arabic",
  "Armenian",
  "Bengali",
  "Bopomofo",
  "Cherokee",
  "Devanagari",
  "Ethiopic",
  "Georgian",
  "Gujarati",
  "Gurmukhi",
  "Han",
  "Hangul",
  "Hebrew",
  "Hiragana",
  "Kannada",
  "Katakana",
  "Khmer",
  "Lao",
  "Malayalam",
  "Myanmar",
  "Oriya",
  "Sinhala",
  "Tamil",
  "Telugu",
  "Thaana",
  "Thai",
  "Tibetan",
]
/** Scripts that are written together: the level "highly restrictive" of UTS #39, section 5.2. */
const TOGETHER = [
  ["Latin", "Han", "Hiragana", "Katakana"],
  ["Latin", "Han", "Bopomofo"],
  ["Latin", "Han", "Hangul"],
]

/** The scripts of a name that mixes what is not written together, or nothing [W-85]. */
export function mixedScripts(name: string): readonly string[] {
  const characters = Array.from(name.normalize("NFKC")).filter((character) => /\p{L}/u.test(character))
  const fits = (together: readonly string[]): boolean =>
    characters.every((character) => together.some((script) => isOf(character, script)))
  if ([...SCRIPTS.map((script) => [script]), ...TOGETHER].some(fits)) return []
  const found = SCRIPTS.filter((script) => characters.some((character) => isOf(character, script)))
  return found.length > 1 ? found : []
}

function isOf(character: string, script: string): boolean {
  return new RegExp(`[\\p{scx=${script}}\\p{scx=Zyyy}\\p{scx=Zinh}]`, "u").test(character)
}
