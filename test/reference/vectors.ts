import { readdirSync, readFileSync } from "node:fs"

const FOLDER = new URL("../vectors/", import.meta.url)
/** For people only. */
const WORDS = ["about", "seed"]
const readPaths = new Map<string, Set<string>>()

export function vectorNames(): string[] {
  return readdirSync(FOLDER).sort()
}

function contentsOf(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"))
}

/** The contents of a file of vectors; `unreadOf` knows which of them were looked at. */
export function vectorsOf(name: string): unknown {
  const paths = readPaths.get(name) ?? new Set()
  readPaths.set(name, paths)
  return watched(contentsOf(name), "", paths)
}

function watched(value: unknown, path: string, paths: Set<string>): unknown {
  if (typeof value !== "object" || value === null) {
    paths.add(path)
    return value
  }
  return new Proxy(value, {
    get: (object, key) => {
      const field: unknown = Reflect.get(object, key)
      return typeof key === "symbol" || !Object.hasOwn(object, key)
        ? field
        : watched(field, `${path}/${key}`, paths)
    },
  })
}

/** The values of a file that no test has looked at. */
export function unreadOf(name: string): string[] {
  const paths = readPaths.get(name)
  return leavesOf(contentsOf(name), "").filter((path) => paths?.has(path) !== true)
}

function leavesOf(value: unknown, path: string): string[] {
  if (typeof value !== "object" || value === null) return [path]
  const fields = Object.entries(value).filter(([key]) => path !== "" || !WORDS.includes(key))
  return fields.flatMap(([key, field]) => leavesOf(field, `${path}/${key}`))
}
