declare const kind: unique symbol

/** Text that was valid UTF-8; not yet safe for a terminal. */
export type Text = string & { readonly [kind]: "Text" }

/** Text that may be written to a terminal: no control character but LF, and nothing invisible [W-80]. */
export type SafeText = string & { readonly [kind]: "SafeText" }

/** No message is longer than the largest payload of the wire. */
const TEXT_BYTES_MAX = 65_536
/** A longer name would push the text after it off the line. */
const NAME_CELLS_MAX = 32
/** More than any name of that width needs, marks and joiners included. To compose n marks takes n² steps. */
const NAME_CHARACTERS_MAX = 1024

const PLAIN = /^[\x20-\x7e]*$/
const INVISIBLE = /[\u00ad\u200b\u2060\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu
const LONE_SURROGATE = /\p{Surrogate}/gu
const REPLACEMENT = "\ufffd"
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g
/** Joiners between marks would otherwise let marks pile up without end. */
const PILED_MARKS = /((?:\p{M}[\u200c\u200d]*){3})(?:\p{M}[\u200c\u200d]*)+/gu
export const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

/** Prefix of every further row of a message, so that none can pass for a separate message [W-81]. */
const GUTTER = "\n      │ "

/** The text, or undefined if it is over 65,536 bytes or not strict UTF-8. A byte order mark is kept. */
export function readText(bytes: Uint8Array): Text | undefined {
  if (bytes.length > TEXT_BYTES_MAX) return undefined
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) as Text
  } catch {
    return undefined
  }
}

/** An untrusted message, made safe for a terminal [W-80] [W-81]. */
export function display(untrusted: string): SafeText {
  if (PLAIN.test(untrusted)) return untrusted as SafeText
  const text = withoutInvisible(untrusted).replaceAll("\r\n", "\n")
  return withPictures(text).replaceAll("\n", GUTTER) as SafeText
}

/** An untrusted text on one row, in full: LF becomes its picture. */
export function displayRow(untrusted: string): SafeText {
  return withPictures(withoutInvisible(untrusted)).replaceAll("\n", "␊") as SafeText
}

/** An untrusted name or label: one line of at most 32 cells, in one normal form [W-82]. */
export function displayName(untrusted: string): SafeText {
  const label = withPictures(withoutInvisible(beginning(untrusted)).normalize("NFC")).replaceAll("\n", "␊")
  const shown = cutToCells(label, NAME_CELLS_MAX)
  return (shown === label ? shown : `${shown}…`) as SafeText
}

/** The beginning of an untrusted text on one row, of at most so many cells [W-80]. */
export function displayStart(untrusted: string, cells: number): SafeText {
  const shown = displayRow(beginning(untrusted)).trim()
  const kept = cutToCells(shown, cells)
  return (kept === shown ? shown : `${kept}…`) as SafeText
}

/** The beginning of a cleaned name that leaves room for something of this width behind it. */
export function cutName(name: string, width: number): string {
  return cutToCells(name, NAME_CELLS_MAX - width)
}

function cutToCells(text: string, max: number): string {
  let cells = 0
  let kept = ""
  for (const character of text) {
    cells += WIDE.test(character) ? 2 : 1
    if (cells > max) return kept
    kept += character
  }
  return kept
}

/** What a name can be made of: all of a short text, or the first whole characters of a long one. */
function beginning(untrusted: string): string {
  if (untrusted.length <= NAME_CHARACTERS_MAX) return untrusted
  return `${untrusted.slice(0, NAME_CHARACTERS_MAX).replace(/[\ud800-\udbff]$/, "")}…`
}

/** Our own text around cleaned values. */
export function safe(words: TemplateStringsArray, ...parts: readonly (SafeText | number)[]): SafeText {
  return String.raw({ raw: words }, ...parts) as SafeText
}

export function joined(parts: readonly SafeText[], separator: string): SafeText {
  return parts.join(separator) as SafeText
}

/**
 * Lone surrogates first: two that an invisible character keeps apart would otherwise become one character when it is
 * removed, and what they become may be invisible itself [W-80].
 */
function withoutInvisible(untrusted: string): string {
  return untrusted.replace(LONE_SURROGATE, REPLACEMENT).replace(INVISIBLE, "")
}

/** Of text without invisible characters: one between two marks would hide that they are piled. */
function withPictures(text: string): string {
  return text.replace(CONTROL, picture).replace(PILED_MARKS, "$1")
}

function picture(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x20) return String.fromCodePoint(0x2400 + code)
  if (code === 0x7f) return "␡"
  const hex = code.toString(16).toUpperCase().padStart(2, "0")
  return code < 0xa0 ? `<${hex}>` : `<U+${hex.padStart(4, "0")}>`
}
