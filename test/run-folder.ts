import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { TEMPLATES_VARIABLE } from "./template.ts"

/** All files of a run are in one folder; its name is short because socket paths must be. */
export default function setup(): () => void {
  const run = mkdtempSync(join(tmpdir(), "mc-"))
  chmodSync(run, 0o755)
  process.env["TMPDIR"] = run
  process.env[TEMPLATES_VARIABLE] = join(run, "templates")
  mkdirSync(join(run, "templates"))
  return () => rmSync(run, { recursive: true, force: true })
}
