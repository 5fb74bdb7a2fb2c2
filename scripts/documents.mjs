import { readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { readAll } from "./files.mjs"
import { ROOT } from "./ready.mjs"

const INDEX = "docs/adr/README.md"
const WORKFLOW = ".github/workflows/ci.yml"
const TITLE = /^# (\d+)\. (.+)$/m
const STATUS = /^- Status: (accepted|rejected|superseded by \[?\d+.*)$/m
const DATE = /^- Date: (\d{4}-\d{2}-\d{2})$/m
const ROW = /^\| \[(\d{4})\]/gm
/** The line of the index that says why a number has no page. */
const GAP = /^- (\d{4}): \S/gm
const CALLS_CI = /^\s*(?:- )?run: \.ci\/run$/m

const index = readFileSync(join(ROOT, INDEX), "utf8")
const pages = readAll("docs/adr", /\/\d{4}-[^/]+\.md$/).map(({ path, text }) => ({
  file: basename(path),
  number: basename(path).slice(0, 4),
  title: TITLE.exec(text),
  status: STATUS.exec(text)?.[1],
  date: DATE.exec(text)?.[1],
}))

function faultsOf({ file, number, title, status, date }) {
  if (title === null || Number(title[1]) !== Number(number))
    return [`${file}: the title does not begin with its number`]
  if (status === undefined) return [`${file}: no line "- Status: accepted, rejected or superseded by N"`]
  if (date === undefined) return [`${file}: no line "- Date: YYYY-MM-DD"`]
  const row = `| [${number}](${file}) | ${title[2]} | ${status} | ${date} |`
  return index.includes(row) ? [] : [`${INDEX} lacks the row ${row}`]
}

/** Every number up to the highest has exactly one page, or a line that says why it has none. */
function faultsOfNumbers() {
  const taken = pages.map(({ number }) => number)
  const gaps = [...index.matchAll(GAP)].map((match) => match[1])
  const highest = Math.max(...taken.map(Number))
  return Array.from({ length: highest }, (_, at) => String(at + 1).padStart(4, "0")).flatMap((number) => {
    const entries = [...taken, ...gaps].filter((entry) => entry === number).length
    if (entries === 1) return []
    return [`${number}: ${entries === 0 ? `neither a page nor a line in ${INDEX}` : "more than one entry"}`]
  })
}

const rows = [...index.matchAll(ROW)].map((match) => match[1])
const withoutPage = rows.filter((row) => !pages.some(({ number }) => number === row))

const callsCi = CALLS_CI.test(readFileSync(join(ROOT, WORKFLOW), "utf8"))
const faults = [
  ...pages.flatMap(faultsOf),
  ...faultsOfNumbers(),
  ...withoutPage.map((row) => `${INDEX} has a row for ${row}, which has no page`),
  ...(callsCi ? [] : [`${WORKFLOW} does not run .ci/run`]),
]
for (const fault of faults) console.log(fault)
console.log(`${pages.length} decision records, ${faults.length} faults`)
process.exitCode = faults.length === 0 && pages.length > 0 ? 0 : 1
