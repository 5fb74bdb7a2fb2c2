import { execFileSync } from "node:child_process"
import { join } from "node:path"

/** Child-process stories run the program as it is shipped: built once, before the first test. */
export default function setup(): void {
  execFileSync(process.execPath, [join(import.meta.dirname, "../scripts/build.mjs")], { stdio: "inherit" })
}
