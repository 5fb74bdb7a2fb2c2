import { spawn } from "node:child_process"
import { readdirSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { createInterface } from "node:readline"

/** A mutant that never ends is killed; this much longer than the same file took without it is no busy machine. */
const TIMES_LONGER = 8
const START_SECONDS = 60
/** No file takes so long without a mutant. */
const UNKNOWN_SECONDS = 150
const OTHER_ROOM_SECONDS = 3
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"]

/** A vitest that stays started between files, and is started again after a file that hung. */
export class TestRunner {
  #folder
  #child
  #answers

  constructor(folder) {
    this.#folder = folder
    for (const signal of ENDING)
      process.once(signal, () => {
        this.end()
        process.exit(1)
      })
  }

  /** `passed` is undefined if the file did not end in time. */
  async run(file, seconds) {
    if (this.#child === undefined) this.#start()
    this.#child.stdin.write(`${file}\n`)
    let timer
    const late = new Promise((resolve) => (timer = setTimeout(resolve, seconds * 1000, undefined)))
    const answer = await Promise.race([this.#nextAnswer(), late])
    clearTimeout(timer)
    if (answer === undefined) this.end()
    return answer ?? { passed: undefined, seconds }
  }

  /** It is a group of its own, which would outlive this process. */
  end() {
    if (this.#child === undefined) return
    process.kill(-this.#child.pid, "SIGKILL")
    this.#child = undefined
  }

  #start() {
    const tree = join(this.#folder, "tree")
    const env = { ...process.env, MQTTCHAT_MUTATION_TEST_FILE: join(this.#folder, "current") }
    const options = { cwd: tree, env, stdio: ["pipe", "pipe", "ignore"], detached: true }
    this.#child = spawn(process.execPath, [join(tree, "scripts/mutation/warm.mjs")], options)
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async #nextAnswer() {
    for (;;) {
      const { value, done } = await this.#answers.next()
      if (done) return undefined
      if (value.startsWith("mutation:")) return JSON.parse(value.slice("mutation:".length))
    }
  }
}

/** Runs every test file without a mutant: what it reaches, how long it takes, and whether it passes here at all. */
export async function findReached(run, files) {
  const { folder, state, save, runner } = run
  writeFileSync(join(folder, "active"), "hits")
  const left = files.filter((file) => state.files[file] === undefined)
  for (const [index, file] of left.entries()) {
    const { passed = false, seconds } = await runner.run(file, UNKNOWN_SECONDS)
    state.files[file] = { passed, seconds, reached: [] }
    if (index % 10 !== 9 && index !== left.length - 1) continue
    noteHits(run)
    save()
    console.log(`${Object.keys(state.files).length} test files`)
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

/** Runs the tests that reach the mutant, the likeliest first, until one fails or the seconds for one mutant are used. */
export async function judge(run, mutant) {
  const { folder, state, budget, runner } = run
  const reaching = Object.entries(state.files)
    .filter(([, { passed, reached }]) => passed && reached.includes(mutant.id))
    .map(([file, { seconds }]) => ({ file, seconds, cost: costOf(file, seconds, mutant, state) }))
    .sort((one, other) => one.cost - other.cost)
  writeFileSync(join(folder, "active"), String(mutant.id))
  let ran = 0
  let total = 0
  for (const { file, seconds } of reaching) {
    if (total > 0 && total + seconds > budget) break
    const { passed } = await runner.run(file, START_SECONDS + TIMES_LONGER * seconds)
    if (passed !== true) return { verdict: passed === false ? "killed" : "timed out", by: file }
    ran += 1
    total += seconds
  }
  return { verdict: reaching.length === 0 ? "not reached" : "survived", ran, of: reaching.length }
}

/**
 * Seconds until a kill is to be expected. The tests of a room come before those of others, which reach it on the way;
 * likely are the one that bears the file's name and those that killed a mutant of the same file.
 */
function costOf(file, seconds, { path }, state) {
  const room = path.split("/")[1]
  const base = seconds + (file.startsWith(`test/${room}/`) ? 0 : OTHER_ROOM_SECONDS)
  const bearsName = basename(file, ".test.ts") === basename(path, ".ts")
  const kills = state.mutants.filter(
    (mutant) => mutant.path === path && state.verdicts[mutant.id]?.by === file,
  ).length
  return base / (1 + kills + (bearsName ? 2 : 0))
}
