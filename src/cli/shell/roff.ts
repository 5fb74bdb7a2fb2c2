/** Characters that roff replaces or interprets, by groff_char(7). */
const NAMED: Readonly<Record<string, string>> = {
  "\\": "\\(rs",
  "-": "\\-",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
}

/**
 * A page of section 1. It has no date, so that the same source gives the same bytes. Lines are not justified and words
 * not hyphenated: a command that is split cannot be copied. Without HY, groff would hyphenate again from the first
 * paragraph on.
 */
export function title(name: string, source: string): string {
  return `.TH ${argument(name.toUpperCase())} 1 "" ${argument(source)} "User Commands"\n.nr HY 0\n.nh\n.ad l\n`
}

export function heading(text: string): string {
  return `.SH ${argument(text)}\n`
}

/** One paragraph; line breaks in it do not count. */
export function paragraph(text: string): string {
  return text === "" ? "" : `.PP\n${line(text.replaceAll("\n", " "))}`
}

/** A term, and below it what it means. */
export function definition(term: string, meaning: string): string {
  return `.TP\n.B ${argument(term)}\n${line(meaning)}`
}

/** Lines that stay as they are. */
export function example(text: string): string {
  return `.PP\n.EX\n${text.split("\n").map(line).join("")}.EE\n`
}

function argument(text: string): string {
  return `"${escaped(text).replaceAll('"', "\\(dq")}"`
}

/** After the zero-width \& a full stop does not begin a request, and no line is empty. */
function line(text: string): string {
  return `${/^(?:\.|$)/.test(text) ? "\\&" : ""}${escaped(text)}\n`
}

function escaped(text: string): string {
  return text.replace(/[\\\-'`^~]|[^\x00-\x7f]/gu, (character) => {
    const code = character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0") ?? ""
    return NAMED[character] ?? `\\[u${code}]`
  })
}
