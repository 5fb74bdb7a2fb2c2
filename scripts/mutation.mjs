import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { ROOT, install } from "./ready.mjs"
import { ROOMS, sampleOf } from "./mutation/sample.mjs"
import { TestRunner, findReached, judge } from "./mutation/tests.mjs"
import { makeTree } from "./mutation/tree.mjs"

/**
 * A seeded sample of one-line mutants of the rooms with effects, each judged by the tests that reach it. What it has found
 * is under reports/mutation/SEED; the same call goes on where the last one ended.
 */
install()
const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    /** 1: about 320 mutants. */
    times: { type: "string", default: "1" },
    /** Only mutants of this kind, as "bound doubled". */
    kind: { type: "string" },
    rooms: { type: "string", default: Object.keys(ROOMS).join(",") },
    /** Folders of tests, or files. */
    tests: { type: "string", default: "test" },
    /** Seconds of tests for one mutant; what was not run is said. */
    budget: { type: "string", default: "120" },
    /** Ends after so many, between two mutants. */
    minutes: { type: "string", default: "Infinity" },
  },
})
const folder = join(ROOT, "reports/mutation", values.seed)
const stateFile = join(folder, "state.json")
mkdirSync(folder, { recursive: true })

const state = existsSync(stateFile) ? JSON.parse(readFileSync(stateFile, "utf8")) : newState()
const runner = new TestRunner(folder)
const run = { folder, state, save, runner, budget: Number(values.budget) }
save()

const until = performance.now() + Number(values.minutes) * 60_000
await findReached(run, testFiles())
for (const mutant of state.mutants) {
  if (!values.rooms.split(",").includes(mutant.path.split("/")[1])) continue
  if (state.verdicts[mutant.id] !== undefined) continue
  if (performance.now() > until) break
  state.verdicts[mutant.id] = await judge(run, mutant)
  save()
  console.log(lineOf(mutant))
}
runner.end()
printScore()

function newState() {
  const rooms = Object.keys(ROOMS)
  const { seed, times, kind } = values
  const mutants = sampleOf({ seed: Number(seed), rooms, times: Number(times), kind })
  makeTree(folder, mutants)
  return { mutants, files: {}, verdicts: {} }
}

function save() {
  writeFileSync(`${stateFile}.new`, JSON.stringify(state))
  renameSync(`${stateFile}.new`, stateFile)
}

function testFiles() {
  const chosen = values.tests.split(",")
  const all = readdirSync(join(folder, "tree/test"), { recursive: true, encoding: "utf8" })
  const files = all.filter((file) => file.endsWith(".test.ts")).map((file) => `test/${file}`)
  return files.filter((file) => chosen.some((one) => file === one || file.startsWith(`${one}/`))).sort()
}

function lineOf(mutant) {
  const { id, path, line, kind, with: replacement } = mutant
  const { verdict, by, ran, of } = state.verdicts[id]
  const text = replacement === undefined ? "" : `: ${replacement.replaceAll(/\s+/g, " ").slice(0, 80)}`
  return `${id} ${verdict}  ${path}:${line} ${kind}${text}  [${by ?? `${ran} of ${of} files`}]`
}

function printScore() {
  const judged = state.mutants.filter(({ id }) => state.verdicts[id] !== undefined)
  // One that timed out may hang, or the machine was busy: that is no verdict.
  const isAlive = ({ id }) => state.verdicts[id].verdict !== "killed"
  for (const room of Object.keys(ROOMS))
    printRow(
      room,
      judged.filter(({ path }) => path.startsWith(`src/${room}/`)),
      isAlive,
    )
  printRow("all", judged, isAlive)
  for (const mutant of judged.filter(isAlive)) console.log(lineOf(mutant))
}

function printRow(name, mutants, isAlive) {
  if (mutants.length === 0) return
  const killed = mutants.filter((mutant) => !isAlive(mutant)).length
  const score = ((100 * killed) / mutants.length).toFixed(1)
  console.log(`${name.padEnd(10)} ${killed} of ${mutants.length} killed: ${score} %`)
}
