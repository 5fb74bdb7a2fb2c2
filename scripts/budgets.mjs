import { readFileSync } from "node:fs"
import { join } from "node:path"
import { readAll } from "./files.mjs"
import { ROOT } from "./ready.mjs"

/** Habits that no linter of ours measures, as numbers: [what, files, pattern, how many are allowed]. */
const BUDGETS = [
  ["any", "src", /:\s*any(?=\s*[,;)=\]>|&{]|$)|\bas any\b/gm, 0],
  ["as unknown as", "src", /as unknown as/g, 0],
  ["silenced checks", "src", /@ts-(ignore|expect-error|nocheck)|eslint-disable/g, 0],
  [
    "mocks of our own code, skipped or lone tests",
    "test",
    /vi\.mock|\b(it|test|describe)\.(skip|only|todo)\(/g,
    0,
  ],
  // Each has a comment that says where the failure is reported instead, or why it need not be.
  ["swallowed errors", "src", /catch(?: \([a-z]+\))? \{\s*\}|\.catch\(\(\) => (?:\{\}|undefined|null)\)/g, 5],
  [
    "services, managers, factories",
    "src",
    /\b(?:class|interface) \w*(?:Service|Manager|Factory|Provider|Helper|Impl)\b/g,
    0,
  ],
  ["banner comments and step numbers", "src", /^\s*\/\/\s*(?:[=─#*-]{4,}|(?:Step )?[0-9]+[.)])/gm, 0],
]

const PUFFERY =
  /blazing|seamless|robust|powerful|enterprise|comprehensive|cutting.edge|military.grade|🚀|✨/gi
const DOCUMENTS = ["README.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md"]

function count(folder, pattern) {
  return readAll(folder, /\.ts$/).flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].map((match) => `${path}: ${match[0].trim()}`),
  )
}

const documents = DOCUMENTS.map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }))
const rows = [
  ...BUDGETS.map(([what, folder, pattern, allowed]) => ({ what, allowed, found: count(folder, pattern) })),
  {
    what: "puffery in the documents",
    allowed: 0,
    found: documents.flatMap(({ path, text }) => [...text.matchAll(PUFFERY)].map((m) => `${path}: ${m[0]}`)),
  },
]
for (const { what, allowed, found } of rows) {
  console.log(`${String(found.length).padStart(3)} of ${allowed}  ${what}`)
  if (found.length > allowed) for (const location of found) console.log(`       ${location}`)
}
process.exitCode = rows.every(({ allowed, found }) => found.length <= allowed) ? 0 : 1
