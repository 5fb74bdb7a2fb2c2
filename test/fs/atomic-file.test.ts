import { readdirSync, readFileSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "vitest"
import { utf8 } from "../../src/crypto/bytes.ts"
import { systemRandom } from "../../src/crypto/random.ts"
import { createFile } from "../../src/fs/atomic-file.ts"
import { folder } from "../keystore/folder.ts"

/** link(2) on FAT. */
async function refused(): Promise<void> {
  return Promise.reject(Object.assign(new Error("no hard links here"), { code: "EPERM" }))
}

describe("a new file, where the file system has no hard links", () => {
  it("is whole, and its owner's alone", async () => {
    const path = join(folder(), "stick", "backup")
    await createFile(path, utf8("sealed"), systemRandom, refused)
    expect(readFileSync(path, "utf8")).toBe("sealed")
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(dirname(path))).toEqual(["backup"])
  })

  it("takes the place of no other", async () => {
    const path = join(folder(), "backup")
    await createFile(path, utf8("the first"), systemRandom, refused)
    const second = createFile(path, utf8("the second"), systemRandom, refused)
    await expect(second).rejects.toMatchObject({ code: "exists" })
    expect(readFileSync(path, "utf8")).toBe("the first")
    expect(readdirSync(dirname(path))).toEqual(["backup"])
  })
})
