import { readdirSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"
import { vectorNames } from "./vectors.ts"

/** Not of the wire, or of a version before, which no specification describes. */
const OTHERS = ["README.md", "store-version-1.db", "earlier-version.json"]
const HERE = new URL("./", import.meta.url)

const tests = readdirSync(HERE)
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => readFileSync(new URL(name, HERE), "utf8"))
  .join("\n")

/** Published by others, whose files also say what this reader has no use for. */
const PUBLISHED = /^cpace\.json$|_test\.json$/

test.each(vectorNames().filter((name) => !OTHERS.includes(name)))("the reader checks %s", (name) => {
  const check = PUBLISHED.test(name) ? `"${name}"` : `unreadOf("${name}")`
  expect(tests.includes(check)).toBe(true)
})
