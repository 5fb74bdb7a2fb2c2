import { prototypeOf, skeletonsOf, withoutIgnorable } from "./skeletons.ts"

/** Rows of ours begin with some of these, and the others stand for something else in a command [W-84]. */
const WORDS = ["me", "you", "info", "all", "system", "mqttchat"]
/** Behind one of these words in a row: `me (read): ...`, `me to bob (read): ...`. */
const ROW_CONTINUES = [" (", "(", " to "]
const DASH = /^[\p{Pd}\u2212\u02d7]/u
const LEADING_DASHES = /^[\p{Pd}\u2212\u02d7\s\p{Default_Ignorable_Code_Point}]+/u
const DIGITS = /^[\p{N}\s]+$/u
/** Whatever looks like a bracket or a blank. */
const BREAKS = /[^\p{L}\p{N}\p{M}]+/u

let reservedSkeletons: readonly string[] | undefined

/** Why a name is not one for a person: it would be taken for something else, or not be seen. Undefined if it is fit [W-84]. */
export function unfitReason(name: string): string | undefined {
  const isDigits = DIGITS.test(withoutIgnorable(name.normalize("NFKC")))
  return isDigits ? "a name is more than digits" : reservedReason(name)
}

/** The same for a local name of a contact, which may be a number. */
export function reservedReason(name: string): string | undefined {
  if (!isVisible(name)) return "a name needs a visible character"
  const seen = withoutIgnorable(name.normalize("NFKC"))
  if (DASH.test(seen)) return "a name does not begin with a dash"
  if (Array.from(name).some(isColon)) return "a name has no colon"
  return beginsRow(name) ? "this name has a meaning of its own here" : undefined
}

/** What is left of a name without what makes it look like something else; undefined if nothing of it is seen. */
export function withoutReservedShape(name: string): string | undefined {
  const plain = Array.from(name).filter((character) => !isColon(character))
  const begun = plain.join("").replace(LEADING_DASHES, "").trim()
  if (!isVisible(begun)) return undefined
  return beginsRow(begun) ? begun.split(BREAKS).filter(Boolean).join("-") : begun
}

/** Whether a name looks like this word. */
export function isConfusable(name: string, word: string): boolean {
  const skeletons = skeletonsOf(word)
  return skeletonsOf(name).some((skeleton) => skeletons.includes(skeleton))
}

function isVisible(name: string): boolean {
  return skeletonsOf(name).some((skeleton) => skeleton !== "")
}

function beginsRow(name: string): boolean {
  reservedSkeletons ??= WORDS.flatMap(skeletonsOf)
  const words = reservedSkeletons
  return skeletonsOf(name).some((skeleton) =>
    words.some((word) => skeleton === word || ROW_CONTINUES.some((next) => skeleton.startsWith(word + next))),
  )
}

function isColon(character: string): boolean {
  return Array.from(character.normalize("NFKD")).some((part) => prototypeOf(part).includes(":"))
}
