import { execFileSync } from "node:child_process"
import {
  closeSync,
  linkSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, onTestFinished, test } from "vitest"
import { openPrivateAppend } from "../../src/fs/append-file.ts"

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "mqttchat-append-"))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function append(path: string, text: string): void {
  const fd = openPrivateAppend(path)
  writeSync(fd, text)
  closeSync(fd)
}

test("it is made for its user alone, and appended to", () => {
  const path = join(newFolder(), "lines")
  append(path, "one\n")
  append(path, "two\n")
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n")
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test("one that others could read is closed to them first", () => {
  const path = join(newFolder(), "lines")
  writeFileSync(path, "old\n", { mode: 0o644 })
  append(path, "new\n")
  expect(readFileSync(path, "utf8")).toBe("old\nnew\n")
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test("a link, a second name, a folder and a pipe are refused, and nothing is written through them", () => {
  const folder = newFolder()
  const target = join(folder, "target")
  writeFileSync(target, "untouched", { mode: 0o644 })
  symlinkSync(target, join(folder, "link"))
  symlinkSync(join(folder, "absent"), join(folder, "dangling"))
  linkSync(target, join(folder, "second"))
  execFileSync("mkfifo", [join(folder, "pipe")])
  for (const path of ["link", "dangling", "second", "pipe", "."].map((name) => join(folder, name))) {
    expect(() => openPrivateAppend(path), path).toThrow(expect.objectContaining({ code: "config" }))
  }
  expect(readFileSync(target, "utf8")).toBe("untouched")
  expect(statSync(target).mode & 0o777).toBe(0o644)
  expect(() => openPrivateAppend(join(folder, "no", "folder"))).toThrow(
    expect.objectContaining({ code: "io" }),
  )
})
