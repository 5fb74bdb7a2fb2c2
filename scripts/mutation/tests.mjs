import { spawn } from "node:child_process"
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"

/** Test files in one run of vitest while hits are noted: one that fails ends only its own batch. */
const BATCH_FILES = 6
/** A mutant that never ends is killed; this much longer than the same files took without it is no busy machine. */
const TIMES_LONGER = 8
const START_SECONDS = 60
/** Says that it starts: waiting in a queue that `through` may have is not counted. */
const STARTED = ["sh", "-c", 'echo started; exec "$@" > /dev/null', "vitest"]
const OTHER_ROOM_SECONDS = 3
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"]

/** What a run of vitest says of each test file: whether all passed, and the seconds it took. */
async function runTests({ folder, through }, files, { seconds, bail = false }) {
  const tree = join(folder, "tree")
  const report = join(folder, "report.json")
  rmSync(report, { force: true })
  const vitest = [process.execPath, join(tree, "node_modules/vitest/vitest.mjs"), "run"]
  const options = ["--config", "vitest.mutation.config.ts", "--reporter=json", `--outputFile.json=${report}`]
  const [command, ...args] = [
    ...through,
    ...STARTED,
    ...vitest,
    ...options,
    ...(bail ? ["--bail=1"] : []),
    ...files,
  ]
  const ended = await ending(command, args, { tree, folder, seconds })
  const found = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")).testResults : []
  const results = found.map(({ name, status, startTime, endTime }) => ({
    file: relative(tree, name),
    passed: status === "passed",
    seconds: (endTime - startTime) / 1000,
  }))
  return { ended, results }
}

/** "passed", "failed" or "timed out". */
function ending(command, args, { tree, folder, seconds }) {
  const env = { ...process.env, MQTTCHAT_MUTATION_TEST_FILE: join(folder, "current") }
  const child = spawn(command, args, { cwd: tree, env, stdio: ["ignore", "pipe", "ignore"], detached: true })
  return new Promise((resolve) => {
    let ended
    const kill = () => process.kill(-child.pid, "SIGKILL")
    const end = () => {
      ended = "timed out"
      kill()
    }
    // It is a group of its own, which would outlive this process.
    const endWithUs = () => {
      kill()
      process.exit(1)
    }
    for (const signal of ENDING) process.once(signal, endWithUs)
    let timer
    child.stdout.once("data", () => (timer = setTimeout(end, seconds * 1000)))
    child.on("close", (status) => {
      clearTimeout(timer)
      for (const signal of ENDING) process.off(signal, endWithUs)
      resolve(ended ?? (status === 0 ? "passed" : "failed"))
    })
  })
}

/** Runs every test file without a mutant: what it reaches, how long it takes, and whether it passes here at all. */
export async function findReached(run, files) {
  const { folder, state, save } = run
  writeFileSync(join(folder, "active"), "hits")
  const left = files.filter((file) => state.files[file] === undefined)
  while (left.length > 0) {
    const batch = left.splice(0, BATCH_FILES)
    const { results } = await runTests(run, batch, { seconds: 1200 })
    for (const file of batch) {
      const { passed = false, seconds = 0 } = results.find((result) => result.file === file) ?? {}
      state.files[file] = { passed, seconds, reached: [] }
    }
    noteHits(run)
    save()
    console.log(`${Object.keys(state.files).length} of ${files.length} test files`)
  }
  writeFileSync(join(folder, "active"), "")
}

function noteHits({ folder, state }) {
  for (const { reached } of Object.values(state.files)) reached.length = 0
  for (const name of readdirSync(join(folder, "hits"))) {
    const [file, id] = name.split(",")
    state.files[file.replaceAll("+", "/")]?.reached.push(Number(id))
  }
}

/** Runs the tests that reach the mutant, the quickest first, until one fails or the seconds for one mutant are used. */
export async function judge(run, mutant) {
  const { folder, state, budget } = run
  const reaching = Object.entries(state.files)
    .filter(([, { passed, reached }]) => passed && reached.includes(mutant.id))
    .sort((one, other) => costOf(one, mutant) - costOf(other, mutant))
  const planned = []
  let total = 0
  writeFileSync(join(folder, "active"), String(mutant.id))
  for (const [file, { seconds }] of reaching) {
    if (total > 0 && total + seconds > budget) break
    planned.push(file)
    total += seconds
  }
  // The first few kill most mutants; the others run together.
  const rounds = [planned.slice(0, 4), planned.slice(4)].filter((round) => round.length > 0)
  for (const round of rounds) {
    const took = round.reduce((sum, file) => sum + state.files[file].seconds, 0)
    const { ended, results } = await runTests(run, round, {
      seconds: START_SECONDS + TIMES_LONGER * took,
      bail: true,
    })
    if (ended === "passed") continue
    const by = results.find((result) => !result.passed)?.file ?? "no report"
    return { verdict: ended === "failed" ? "killed" : ended, by }
  }
  const verdict = reaching.length === 0 ? "not reached" : "survived"
  return { verdict, ran: planned.length, of: reaching.length }
}

/** The tests of a room judge it before those of others, which reach it on the way. */
function costOf([file, { seconds }], { path }) {
  const room = path.split("/")[1]
  return seconds + (file.startsWith(`test/${room}/`) ? 0 : OTHER_ROOM_SECONDS)
}
