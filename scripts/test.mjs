import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { ROOT, install } from "./ready.mjs"

install()

const CHECKS = [
  ["types", "tsc", "--noEmit"],
  ["lint", "eslint", ".", "--max-warnings", "0"],
  ["format", "prettier", "--check", "--log-level", "warn", "."],
  ["rooms", "depcruise", "src", "test/reference", "--config", ".dependency-cruiser.cjs"],
  ["dead code", "knip"],
  ["clauses", "node", "scripts/clauses.mjs"],
  ["budgets", "node", "scripts/budgets.mjs"],
  ["documents", "node", "scripts/documents.mjs"],
  ["names", "node", "scripts/names.mjs"],
]

/** A check's name, result, output and duration. */
function check([name, command, ...args]) {
  const started = performance.now()
  const program = command === "node" ? process.execPath : join(ROOT, "node_modules/.bin", command)
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    child.stdout.on("data", (chunk) => (output += chunk))
    child.stderr.on("data", (chunk) => (output += chunk))
    child.on("close", (status) =>
      resolve({ name, passed: status === 0, output, seconds: (performance.now() - started) / 1000 }),
    )
  })
}

/** Two at a time: the machines that this must run on have two cores. */
async function runChecks() {
  const waiting = [...CHECKS]
  const results = []
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const result = await check(next)
      results.push(result)
      console.log(`${result.passed ? "ok    " : "FAILED"} ${result.name} (${result.seconds.toFixed(1)} s)`)
      if (!result.passed) console.log(result.output)
    }
  }
  await Promise.all([worker(), worker()])
  return results.every((result) => result.passed)
}

/** How many files are listed at the end, the slowest first. */
const SLOWEST = 10

/** Seconds that each test file took, from the report. */
function printSlowest(files) {
  const rows = files.map(({ name, startTime, endTime }) => [
    (endTime - startTime) / 1000,
    relative(ROOT, name),
  ])
  rows.sort(([one], [other]) => other - one)
  console.log("the slowest files:")
  for (const [seconds, name] of rows.slice(0, SLOWEST))
    console.log(`${seconds.toFixed(1).padStart(7)} s ${name}`)
}

/** Runs vitest with the arguments given to this script; under MQTTCHAT_TEST_REQUIRE=all a skipped test fails. */
async function runTests(selection) {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-test-"))
  const report = join(folder, "report.json")
  const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...selection]
  const status = await new Promise((resolve) => {
    const vitest = join(ROOT, "node_modules/.bin/vitest")
    spawn(vitest, args, { cwd: ROOT, stdio: "inherit" }).on("close", resolve)
  })
  // If vitest itself failed, it has printed why and written nothing.
  const result = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : undefined
  rmSync(folder, { recursive: true })
  if (result === undefined) return false
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = result
  printSlowest(testResults)
  console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`)
  const skippedFails = process.env.MQTTCHAT_TEST_REQUIRE === "all" && numPendingTests > 0
  if (skippedFails) console.log("skipped tests fail here: MQTTCHAT_TEST_REQUIRE=all")
  return status === 0 && !skippedFails
}

// A call that names a file is about that file, so it skips the checks.
const selection = process.argv.slice(2)
const checked = selection.length > 0 || (await runChecks())
const tested = await runTests(selection)
process.exitCode = checked && tested ? 0 : 1
