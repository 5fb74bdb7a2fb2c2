import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { GENERATED_FILES } from "../../scripts/generated.ts"

test.each([...GENERATED_FILES])("%s matches the tables of src/", (path, text) => {
  expect(readFileSync(join(import.meta.dirname, "../..", path), "utf8"), "run: npm run docs").toBe(text)
})
