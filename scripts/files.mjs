import { readFileSync, readdirSync } from "node:fs"
import { join, relative } from "node:path"
import { ROOT } from "./ready.mjs"

/** Path (from the root of the project) and text of every file below `folder` whose path matches. */
export function readAll(folder, pattern) {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(ROOT, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((path) => pattern.test(path))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }))
}
