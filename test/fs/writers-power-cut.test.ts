import { putBack, recordFolder, type Disk } from "./power-cut.ts"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "vitest"
import { utf8 } from "../../src/crypto/bytes.ts"
import { createFile, replaceFile } from "../../src/fs/atomic-file.ts"
import { makePrivateFolder } from "../../src/fs/private-folder.ts"
import { setAside } from "../../src/fs/set-aside.ts"
import { folder } from "../keystore/folder.ts"

const OLD = "the old bytes, of some length"
const NEW = "the new bytes, which are more than those before"

/** What link(2) does on FAT. */
async function refused(): Promise<void> {
  return Promise.reject(Object.assign(new Error("no hard links here"), { code: "EPERM" }))
}

/** Each thing that the disks hold under the name. */
function contentsOf(disks: readonly Disk[], name: string): Set<string> {
  return new Set(disks.map((disk) => disk.get(name)?.toString() ?? "none"))
}

describe("a new file", () => {
  it("is written, synced, named, and its name synced", async () => {
    const path = folder()
    const recorder = recordFolder(path)
    await createFile(join(path, "backup"), utf8(NEW))
    recorder.note("acknowledged")
    expect(recorder.log).toEqual([
      "create backup.new",
      "write backup.new",
      "sync backup.new",
      "synced backup.new",
      "link backup.new backup",
      "sync .",
      "synced .",
      "remove backup.new",
      "acknowledged",
    ])
  })

  it("is after a power cut whole or not there, and there once it is acknowledged", async () => {
    const path = folder()
    const recorder = recordFolder(path, { isTorn: true })
    await createFile(join(path, "backup"), utf8(NEW))
    expect(contentsOf(recorder.torn, "backup")).toEqual(new Set(["none", NEW]))
    expect(recorder.cut().get("backup")?.toString()).toBe(NEW)
  })

  it("is whole once it is acknowledged, also where the file system has no hard links", async () => {
    const path = folder()
    const recorder = recordFolder(path, { isTorn: true })
    await createFile(join(path, "backup"), utf8(NEW), refused)
    expect(contentsOf(recorder.torn, "backup")).toEqual(new Set(["none", "", NEW]))
    expect(recorder.cut().get("backup")?.toString()).toBe(NEW)
  })
})

describe("a file that is replaced", () => {
  it("is written aside, synced, put in place, and its name synced", async () => {
    const path = folder()
    writeFileSync(join(path, "list"), OLD)
    const recorder = recordFolder(path)
    await replaceFile(join(path, "list"), NEW)
    recorder.note("acknowledged")
    expect(recorder.log).toEqual([
      "create list.new",
      "write list.new",
      "sync list.new",
      "synced list.new",
      "rename list.new list",
      "sync .",
      "synced .",
      "acknowledged",
    ])
  })

  it("is after a power cut the old one or the new one, and the new one once it is acknowledged", async () => {
    const path = folder()
    writeFileSync(join(path, "list"), OLD)
    const recorder = recordFolder(path, { isTorn: true })
    await replaceFile(join(path, "list"), NEW)
    expect(contentsOf(recorder.torn, "list")).toEqual(new Set([OLD, NEW]))
    expect(recorder.cut().get("list")?.toString()).toBe(NEW)
  })
})

describe("a file that is set aside", () => {
  it("has its new name on the disk before another takes the old one", () => {
    const path = folder()
    writeFileSync(join(path, "list"), OLD)
    const recorder = recordFolder(path)
    setAside(join(path, "list"))
    recorder.note("acknowledged")
    expect(recorder.log).toEqual(["rename list list.old", "sync .", "synced .", "acknowledged"])
  })

  it("is there after a power cut, under the one name or the other, and is never replaced", async () => {
    const path = folder()
    writeFileSync(join(path, "list"), OLD)
    const recorder = recordFolder(path, { isTorn: true })
    const aside = setAside(join(path, "list")) ?? ""
    expect([...recorder.cut().keys()].map((name) => join(path, name))).toEqual([aside])
    await replaceFile(join(path, "list"), NEW)
    for (const disk of recorder.torn) expect([...disk.values()].map(String)).toContain(OLD)
  })
})

describe("new folders", () => {
  it("have their names synced, each in the one that it is in, before anything is put into them", () => {
    const path = folder()
    const recorder = recordFolder(path)
    makePrivateFolder(join(path, "share", "profiles", "alice"))
    recorder.note("made")
    expect(recorder.log).toEqual([
      "folder share",
      "folder share/profiles",
      "folder share/profiles/alice",
      "sync share/profiles",
      "synced share/profiles",
      "sync share",
      "synced share",
      "sync .",
      "synced .",
      "made",
    ])
  })

  it("are there after a power cut with the file that was acknowledged in them", async () => {
    const path = folder()
    const recorder = recordFolder(path)
    await createFile(join(path, "stick", "backups", "monday"), utf8(NEW))
    const again = folder()
    putBack(recorder.cut(), again)
    expect(readFileSync(join(again, "stick", "backups", "monday"), "utf8")).toBe(NEW)
  })

  it("are not asked of the disk where they are there", () => {
    const path = folder()
    mkdirSync(join(path, "alice"), { mode: 0o700 })
    const recorder = recordFolder(path)
    makePrivateFolder(join(path, "alice"))
    expect(recorder.log).toEqual([])
  })
})
