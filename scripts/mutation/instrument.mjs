import { readFileSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const SWITCH = "src/mutant-switch.ts"

/**
 * Every process of a test reads here which mutant is active, whatever its environment is. While `active` says "hits", the
 * mutants that a test file reaches are noted under its name.
 */
function switchText(folder) {
  return `const fs = process.getBuiltinModule("node:fs")
const { closeSync, openSync, readFileSync } = fs
const FOLDER = ${JSON.stringify(folder)}
const active = readFileSync(FOLDER + "/active", "utf8")
const noted = new Set<number>()
export function mutant(id: number): boolean {
  if (active !== "hits") return active === String(id)
  if (!noted.has(id)) note(id)
  return false
}
function note(id: number): void {
  noted.add(id)
  try {
    closeSync(openSync(FOLDER + "/hits/" + readFileSync(FOLDER + "/current", "utf8") + "," + id, "a", 0o666))
  } catch {
    noted.delete(id)
  }
}
`
}

/** Writes each mutant with its `id` into the sources of the tree at `tree`, all of them asleep. */
export function instrument(tree, folder, mutants) {
  writeFileSync(join(tree, SWITCH), switchText(folder))
  for (const path of new Set(mutants.map((mutant) => mutant.path))) {
    const text = readFileSync(join(tree, path), "utf8")
    const own = mutants.filter((mutant) => mutant.path === path)
    const [, shebang = ""] = /^(#!.*\n)?/.exec(text) ?? []
    writeFileSync(join(tree, path), shebang + importOf(path) + withMutants(text, own).slice(shebang.length))
  }
}

/** On the first line, so that every line keeps its number. */
function importOf(path) {
  const from = relative(dirname(path), SWITCH)
  return `import { mutant as __mutant } from "${from.startsWith(".") ? from : `./${from}`}";`
}

/** Only inserts, so that mutants may stand inside one another: the longer one is opened first and closed last. */
function withMutants(text, mutants) {
  const inserts = mutants.flatMap(({ start, end, id, with: replacement }) => {
    const [open, close] =
      replacement === undefined
        ? [`{if(!__mutant(${id})){`, "}}"]
        : [`(__mutant(${id})?(${replacement}):(`, "))"]
    const length = end - start
    // A statement is as long as its expression, and outside it.
    const rank = replacement === undefined ? -1 : id
    return [
      { at: start, order: -length, rank, text: open },
      { at: end, order: length, rank: -rank, text: close, closes: true },
    ]
  })
  inserts.sort(
    (one, other) =>
      one.at - other.at ||
      Number(other.closes ?? false) - Number(one.closes ?? false) ||
      one.order - other.order ||
      one.rank - other.rank,
  )
  let done = 0
  let result = ""
  for (const { at, text: inserted } of inserts) {
    result += text.slice(done, at) + inserted
    done = at
  }
  return result + text.slice(done)
}
