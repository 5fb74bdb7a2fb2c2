import type { Random } from "../crypto/bytes.ts"
import { type Address, parseAddress } from "../wire/address.ts"
import { NAMEPLATE_MAX } from "../wire/topics.ts"
import { isWord, nearestWord, WORDS } from "./words.ts"

/** `text` is the whole code as people speak it, `7-crowd-river`: lower case, joined by hyphens [P-1]. */
export type PairingCode = { readonly nameplate: number; readonly text: string }

export type ParsedCode =
  /** `at` is the broker, if the code was typed as CODE@HOST[:PORT]. */
  | { readonly kind: "code"; readonly code: PairingCode; readonly at: Address | undefined }
  /** `suggestion` is the whole code with the nearest word in place of the unknown one. */
  | { readonly kind: "bad"; readonly why: string; readonly suggestion?: string }

/** Two words are 22 bits against one guess; three are for brokers open to anyone. */
export type WordCount = 2 | 3

/** The longest code is 4 + 3 words of 8 letters + 3 hyphens; spoken separators and a host fit into the rest. */
const TYPED_CHARACTERS_MAX = 320
/** An unknown word is repeated in the answer, but not all of a long one. */
const SHOWN_CHARACTERS_MAX = 16
const NAMEPLATE = /^[1-9][0-9]{0,3}$/

/** A nameplate from 1 to 9999 and two or three words, each drawn evenly [P-1]. */
export function makeCode(words: WordCount, random: Random): PairingCode {
  const drawn = Array.from({ length: words }, () => WORDS[draw(random) % WORDS.length] ?? "")
  const nameplate = 1 + (draw(random) % NAMEPLATE_MAX)
  return { nameplate, text: [nameplate, ...drawn].join("-") }
}

/**
 * Reads what a user typed: any case, hyphens or blanks between the parts, and perhaps `@HOST[:PORT]` at the end.
 * The nameplate and all words must be ones that `makeCode` can draw [P-1].
 */
export function parseCode(typed: string): ParsedCode {
  const text = normalized(typed)
  if (text === undefined) return { kind: "bad", why: "that is too long for a code" }
  const [codeText = "", address, ...more] = text.split("@")
  const at = address === undefined ? undefined : parseAddress(address)
  if (more.length > 0 || (address !== undefined && at === undefined)) {
    return { kind: "bad", why: "the @ of a code is followed by HOST or HOST:PORT" }
  }
  const [nameplate = "", ...words] = codeText.split(/[\s-]+/).filter((part) => part !== "")
  if (!NAMEPLATE.test(nameplate) || words.length < 2 || words.length > 3) {
    return { kind: "bad", why: "a code is a number and two or three words, like 7-crowd-river" }
  }
  return checkWords(nameplate, words, at)
}

/** Both bounds are needed: NFKC makes up to 18 characters of one. */
function normalized(typed: string): string | undefined {
  if (typed.length > TYPED_CHARACTERS_MAX) return undefined
  const text = typed.normalize("NFKC")
  return text.length > TYPED_CHARACTERS_MAX ? undefined : text.trim().toLowerCase()
}

function checkWords(nameplate: string, words: readonly string[], at: Address | undefined): ParsedCode {
  const unknown = words.find((word) => !isWord(word))
  if (unknown === undefined) {
    return { kind: "code", code: { nameplate: Number(nameplate), text: [nameplate, ...words].join("-") }, at }
  }
  const why = `"${shortened(unknown)}" is not a code word`
  const near = nearestWord(unknown)
  if (near === undefined) return { kind: "bad", why }
  const meant = words.map((word) => (word === unknown ? near : word))
  return { kind: "bad", why, suggestion: [nameplate, ...meant].join("-") }
}

function shortened(word: string): string {
  return word.length <= SHOWN_CHARACTERS_MAX ? word : `${word.slice(0, SHOWN_CHARACTERS_MAX)}…`
}

/** 48 even bits: taken modulo at most 9999, no result is likelier than another by more than 2^-34. */
function draw(random: Random): number {
  return Buffer.from(random(6)).readUIntBE(0, 6)
}
