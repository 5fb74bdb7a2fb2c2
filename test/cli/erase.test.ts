import { recordFolder } from "../fs/power-cut.ts"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "vitest"
import { overwriteFile, removeFile } from "../../src/cli/profile/erase.ts"
import { folder } from "../keystore/folder.ts"

const SECRET = Buffer.alloc(100_000, "secret")

function secretIn(path: string): string {
  const file = join(path, "keys")
  writeFileSync(file, SECRET)
  return file
}

test("an erased file is overwritten, synced, removed, and its name's end synced", () => {
  const path = folder()
  const file = secretIn(path)
  const recorder = recordFolder(path)
  overwriteFile(file)
  recorder.note("overwritten")
  removeFile(file)
  recorder.note("removed")
  expect(recorder.log).toEqual([
    "write keys",
    "sync keys",
    "synced keys",
    "overwritten",
    "remove keys",
    "sync .",
    "synced .",
    "removed",
  ])
})

test("after a power cut nothing of what was erased can be read, and what was removed is not there", () => {
  const path = folder()
  const file = secretIn(path)
  const recorder = recordFolder(path)
  overwriteFile(file)
  const overwritten = recorder.cut().get("keys")
  expect(overwritten).toHaveLength(SECRET.length)
  expect(overwritten?.includes("secret")).toBe(false)
  // Chance may leave a byte as it was, but not one in four.
  const left = SECRET.filter((byte, at) => overwritten?.[at] === byte).length
  expect(left).toBeLessThan(SECRET.length / 4)
  removeFile(file)
  expect(recorder.cut().has("keys")).toBe(false)
})
