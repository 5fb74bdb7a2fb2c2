import { join } from "node:path"
import { ROOT, install, run } from "./ready.mjs"

install()
run(process.execPath, join(ROOT, "scripts/build.mjs"))
for (const figure of ["session", "start", "broker", "floods", "daemon", "opening"]) {
  console.log(`\n== ${figure}`)
  run(process.execPath, "--import", "tsx", join(ROOT, `test/bench/${figure}.mjs`))
}

console.log("\n== floods by a contact")
run(
  process.execPath,
  join(ROOT, "node_modules/vitest/vitest.mjs"),
  "run",
  "--config",
  "vitest.bench.config.ts",
)
