import { join } from "node:path"
import { ROOT, install, run, succeeds } from "./ready.mjs"

install()
run(process.execPath, join(ROOT, "scripts/build.mjs"))

const vitest = join(ROOT, "node_modules/vitest/vitest.mjs")
const script = (figure) => ["--import", "tsx", join(ROOT, `test/bench/${figure}.mjs`)]
const FIGURES = [
  ...["session", "start", "broker", "floods", "daemon", "opening"].map((name) => [name, script(name)]),
  ["floods by a contact", [vitest, "run", "--config", "vitest.bench.config.ts"]],
]

// One that misses its bound, as a loaded machine does, hides none of the others.
const missed = FIGURES.filter(([name, args]) => {
  console.log(`\n== ${name}`)
  return !succeeds(process.execPath, ...args)
})
if (missed.length > 0) {
  console.log(`\nmissed a bound or failed: ${missed.map(([name]) => name).join(", ")}`)
  process.exitCode = 1
}
