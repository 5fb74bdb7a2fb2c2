import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"

/** Where `build.ts` says that the templates of this run of tests lie. */
export const TEMPLATES_VARIABLE = "MQTTCHAT_TEST_TEMPLATES"

/**
 * The folder `name`, which `make` fills when the first test of a run asks for it: what takes seconds to make and is only
 * the beginning of a story. To be copied, never to be changed.
 */
export async function template(name: string, make: (folder: string) => Promise<void>): Promise<string> {
  const folder = process.env[TEMPLATES_VARIABLE]
  if (folder === undefined) throw new Error("templates need the global setup of vitest.config.ts")
  const made = join(folder, name)
  if (existsSync(made)) return made
  const fresh = mkdtempSync(join(folder, `${name}-`))
  await make(fresh)
  try {
    renameSync(fresh, made)
  } catch (cause) {
    // Another file of tests has made it meanwhile.
    if (!existsSync(made)) throw cause
    rmSync(fresh, { recursive: true })
  }
  return made
}
