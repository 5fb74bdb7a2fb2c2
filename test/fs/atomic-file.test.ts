import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { utf8 } from "../../src/crypto/bytes.ts"
import { createFile, replaceFile } from "../../src/fs/atomic-file.ts"
import { folder } from "../keystore/folder.ts"

/** What link(2) does on FAT. */
async function refused(): Promise<void> {
  return Promise.reject(Object.assign(new Error("no hard links here"), { code: "EPERM" }))
}

describe("a new file, where the file system has no hard links", () => {
  it("is whole, and only its owner may read it", async () => {
    const path = join(folder(), "stick", "backup")
    await createFile(path, utf8("sealed"), refused)
    expect(readFileSync(path, "utf8")).toBe("sealed")
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(dirname(path))).toEqual(["backup"])
  })

  it("replaces no existing file", async () => {
    const path = join(folder(), "backup")
    await createFile(path, utf8("the first"), refused)
    const second = createFile(path, utf8("the second"), refused)
    await expect(second).rejects.toMatchObject({ code: "exists" })
    expect(readFileSync(path, "utf8")).toBe("the first")
    expect(readdirSync(dirname(path))).toEqual(["backup"])
  })
})

describe("a file that is replaced", () => {
  it("has the new bytes and the mode that it is given, and nothing is left by its side", async () => {
    const path = join(folder(), "list")
    writeFileSync(path, "the old list", { mode: 0o600 })
    await replaceFile(path, "the new list", 0o644)
    expect(readFileSync(path, "utf8")).toBe("the new list")
    expect(statSync(path).mode & 0o777).toBe(0o644)
    expect(readdirSync(dirname(path))).toEqual(["list"])
  })

  it("is its owner's alone unless more is said, and need not have been there", async () => {
    const path = join(folder(), "token")
    await replaceFile(path, utf8("a secret"))
    expect(readFileSync(path, "utf8")).toBe("a secret")
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it("stays as it is when its place cannot be taken", async () => {
    const path = join(folder(), "list")
    mkdirSync(path)
    await expect(replaceFile(path, "a list")).rejects.toMatchObject({ code: "io" })
    expect(readdirSync(dirname(path))).toEqual(["list"])
  })

  it("makes no folder for itself", async () => {
    const path = join(folder(), "mistyped", "list")
    const message = `cannot write ${path}: ENOENT`
    await expect(replaceFile(path, "a list")).rejects.toMatchObject({ code: "io", message })
  })

  it("is whole whichever of many writers is the last", async () => {
    const path = join(folder(), "list")
    const texts = ["a", "b", "c", "d"].map((character) => character.repeat(100_000))
    await Promise.all(texts.map((text) => replaceFile(path, text)))
    expect(texts).toContain(readFileSync(path, "utf8"))
    expect(readdirSync(dirname(path))).toEqual(["list"])
  })
})
