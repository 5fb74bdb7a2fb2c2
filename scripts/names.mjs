import { basename } from "node:path"
import ts from "typescript"
import { readAll } from "./files.mjs"
import { RETIRED, RETIRED_IN } from "./retired-words.mjs"

/** Hidden folders hold build output only. */
const CODE = /^(?!.*\/\.).*\.(ts|mjs)$/
const ENDINGS = /(\.(test|actor|soak|cluster))?\.(d\.)?(ts|mjs)$/
/** Where the next word of a camelCase name begins. */
const HUMP = /([a-z0-9])([A-Z])/g

/** `settleAll`, `SETTLE_ALL` and `settle-all` are the words `settle` and `all`. */
function wordsOf(name) {
  return name
    .replaceAll(HUMP, "$1 $2")
    .split(/[^A-Za-z]+/)
    .filter((word) => word !== "")
    .map((word) => word.toLowerCase())
}

/** The names that the file declares. A name that it only uses is declared elsewhere, here or in a library. */
function declaredNames({ path, text }) {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const names = []
  const walk = (node) => {
    const isName = ts.isIdentifier(node) || ts.isPrivateIdentifier(node)
    if (isName && node.parent.name === node && !isUse(node.parent))
      names.push({ name: node.text, at: node.getStart(file) })
    ts.forEachChild(node, walk)
  }
  walk(file)
  return names.map(({ name, at }) => ({ name, line: file.getLineAndCharacterOfPosition(at).line + 1 }))
}

function isUse(node) {
  return ts.isPropertyAccessExpression(node) || ts.isImportSpecifier(node) || ts.isExportSpecifier(node)
}

function retiredFor(path) {
  const inRoom = Object.entries(RETIRED_IN).filter(([room]) => path.startsWith(`${room}/`))
  return new Set([...RETIRED, ...inRoom.flatMap(([, words]) => words)])
}

function faultsOf(file) {
  const retired = retiredFor(file.path)
  const fileName = { name: basename(file.path).replace(ENDINGS, ""), line: 1 }
  return [fileName, ...declaredNames(file)].flatMap(({ name, line }) =>
    wordsOf(name)
      .filter((word) => retired.has(word))
      .map((word) => `${file.path}:${line} ${name}: "${word}" is retired`),
  )
}

const files = ["src", "test", "scripts"].flatMap((folder) => readAll(folder, CODE))
const faults = files.flatMap(faultsOf)
for (const fault of faults) console.log(fault)
const words = RETIRED.length + Object.values(RETIRED_IN).flat().length
console.log(`${words} retired words, ${faults.length} left in the names of ${files.length} files`)
process.exitCode = faults.length === 0 && files.length > 0 ? 0 : 1
