import { readAll } from "./files.mjs"

/** `[W-3]` and the like: a clause of the SPEC.md in the folder of its code. */
const CITATION = /\[([A-Z]-\d+)\]/g
const CLAUSE_START = /\n(?=\*\*\[[A-Z]-\d+\]\*\*)/
const CLAUSE_NAME = /^\*\*\[([A-Z]-\d+)\]\*\*/

function citations(files) {
  const found = files.flatMap(({ path, text }) =>
    [...text.matchAll(CITATION)].map((match) => [match[1], path]),
  )
  return new Map(found)
}

function clausesOf({ path, text }) {
  return text.split(CLAUSE_START).flatMap((clause) => {
    const name = CLAUSE_NAME.exec(clause)?.[1]
    return name ? [[name, { path, must: clause.includes("MUST") }]] : []
  })
}

const clauses = new Map(readAll("src", /SPEC\.md$/).flatMap(clausesOf))
const inCode = citations(readAll("src", /\.ts$/))
const inTests = citations(readAll("test", /\.ts$/))

const unknown = [...inCode, ...inTests]
  .filter(([name]) => !clauses.has(name))
  .map(([name, path]) => `${path} cites [${name}], which no SPEC.md holds`)
const untested = [...clauses]
  .filter(([name, { must }]) => must && !inTests.has(name))
  .map(([name, { path }]) => `${path}: [${name}] says MUST and no test cites it`)

const faults = [...unknown, ...untested]
for (const fault of faults) console.log(fault)
console.log(`${clauses.size} clauses, ${faults.length} faults`)
process.exitCode = faults.length === 0 && clauses.size > 0 ? 0 : 1
