import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"

/** The folder of this run's templates, set by `run-folder.ts`. */
export const TEMPLATES_VARIABLE = "MQTTCHAT_TEST_TEMPLATES"

/** What this process is making or has made. */
const asked = new Map<string, Promise<string>>()

/**
 * The folder `name`, which `make` fills when the first test of a run asks for it. For state that takes seconds to make
 * and is only the beginning of a test. Copy it, never change it.
 */
export function template(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  // Concurrent tests of a file ask at the same time.
  const made = asked.get(name) ?? makeOnce(name, make)
  asked.set(name, made)
  return made
}

async function makeOnce(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = process.env[TEMPLATES_VARIABLE]
  if (folder === undefined) throw new Error("templates need the global setup of vitest.config.ts")
  const made = join(folder, name)
  if (existsSync(made)) return made
  const fresh = mkdtempSync(join(folder, `${name}-`))
  await make(fresh)
  try {
    renameSync(fresh, made)
  } catch (cause) {
    // Another test file has made it meanwhile.
    if (!existsSync(made)) throw cause
    rmSync(fresh, { recursive: true })
  }
  return made
}
