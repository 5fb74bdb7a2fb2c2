import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { GENERATED, methodPages, openRpc } from "../../scripts/api-docs.ts"

const DOCS = join(import.meta.dirname, "../../docs")
const read = (name: string): string => readFileSync(join(DOCS, name), "utf8")
const ADVICE = "run: npm run docs"

test("docs/api.md matches the command table", async () => {
  const [, generated] = read("api.md").split(GENERATED)
  expect(generated?.trimStart(), ADVICE).toBe(await methodPages())
})

test("docs/openrpc.json matches the command table", async () => {
  expect(read("openrpc.json"), ADVICE).toBe(await openRpc())
})
