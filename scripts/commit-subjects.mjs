import { execFileSync } from "node:child_process"
import { ROOT } from "./ready.mjs"

/** `node scripts/commit-subjects.mjs BASE`: the subjects of the commits since BASE. */
const SUBJECT_MAX = 72
const UNFINISHED = /^(?:fixup|squash|amend)!|\bwip\b/i

const [base] = process.argv.slice(2)
if (base === undefined) {
  console.error("usage: node scripts/commit-subjects.mjs BASE")
  process.exit(64)
}

const log = execFileSync("git", ["log", "--no-merges", "--format=%h %s", `${base}..HEAD`], {
  cwd: ROOT,
  encoding: "utf8",
})
const commits = log
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => ({ line, subject: line.slice(line.indexOf(" ") + 1) }))

const faults = commits.flatMap(({ line, subject }) => {
  const length = [...subject].length
  if (length > SUBJECT_MAX) return [`${length} characters, at most ${SUBJECT_MAX}: ${line}`]
  return UNFINISHED.test(subject) ? [`unfinished: ${line}`] : []
})
for (const fault of faults) console.log(fault)
console.log(`${commits.length} commits since ${base}, ${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
